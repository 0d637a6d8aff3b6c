// The Prometheus text format, version 0.0.4, read into families.

/** @typedef {{ name: string, labels: [string, string][], value: number }} Sample */
/** @typedef {{ name: string, type: string, help: string, samples: Sample[] }} Family */

const ESCAPES = /** @type {Record<string, string>} */ ({ n: "\n", '"': '"', "\\": "\\" });
const SUFFIXES = /** @type {Record<string, string[]>} */ ({
  counter: ["_total", "_created"],
  histogram: ["_bucket", "_sum", "_count", "_created"],
  summary: ["_sum", "_count", "_created"],
});

/**
 * Families in the order in which they come, those without samples included.  A line that is no sample is left out:
 * one bad collector must not blind the page.
 *
 * @param {string} text
 * @returns {Family[]}
 */
export function parseExposition(text) {
  /** @type {Map<string, Family>} */
  const families = new Map();
  /** @param {string} name @returns {Family} */
  const family = (name) => {
    let found = families.get(name);
    if (!found) families.set(name, (found = { name, type: "untyped", help: "", samples: [] }));
    return found;
  };
  for (const line of text.split("\n")) {
    const trimmed = line.trim();
    if (!trimmed) continue;
    if (trimmed[0] === "#") {
      const found = /^#\s+(HELP|TYPE)\s+(\S+)(?:\s+(.*))?$/.exec(trimmed);
      if (!found) continue;
      if (found[1] === "TYPE") family(found[2]).type = found[3] ?? "untyped";
      else family(found[2]).help = unescape(found[3] ?? "");
      continue;
    }
    const sample = readSample(trimmed);
    if (sample) family(owner(sample.name, families)).samples.push(sample);
  }
  return [...families.values()];
}

/** The family that a sample belongs to. @param {string} name @param {Map<string, Family>} families */
function owner(name, families) {
  if (families.has(name)) return name;
  for (const [type, suffixes] of Object.entries(SUFFIXES)) {
    for (const suffix of suffixes) {
      const base = name.slice(0, -suffix.length);
      if (name.endsWith(suffix) && families.get(base)?.type === type) return base;
    }
  }
  return name;
}

/** @param {string} line @returns {Sample | null} */
export function readSample(line) {
  const head = /^[a-zA-Z_:][\w:]*/.exec(line);
  if (!head) return null;
  const name = head[0];
  let rest = line.slice(name.length);
  /** @type {[string, string][]} */
  let labels = [];
  if (rest.trimStart()[0] === "{") {
    const read = readLabels(rest.trimStart().slice(1));
    if (!read) return null;
    [labels, rest] = read;
  }
  const [value, timestamp, more] = rest.trim().split(/\s+/);
  const number = readNumber(value);
  return number === null || more !== undefined || (timestamp !== undefined && !/^-?\d+$/.test(timestamp))
    ? null
    : { name, labels, value: number };
}

/** Labels up to the closing brace, and what comes after it. @param {string} text @returns {[[string, string][], string] | null} */
function readLabels(text) {
  /** @type {[string, string][]} */
  const labels = [];
  const pair = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))/y;
  for (;;) {
    const from = pair.lastIndex;
    const found = pair.exec(text);
    if (!found) {
      const closing = /^\s*\}/.exec(text.slice(from));
      return closing ? [labels, text.slice(from + closing[0].length)] : null;
    }
    labels.push([found[1], unescape(found[2])]);
  }
}

/** @param {string} text */
function unescape(text) {
  return text.replace(/\\(.)/g, (whole, letter) => ESCAPES[letter] ?? whole);
}

/** A number as Go writes it; null when it is none. @param {string | undefined} text */
function readNumber(text) {
  if (!text) return null;
  if (/^[+-]?Inf$/i.test(text)) return text[0] === "-" ? -Infinity : Infinity;
  if (/^NaN$/i.test(text)) return NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

/** Labels as they are written, `le` and `quantile` left out where `without` says so. @param {[string, string][]} labels @param {string} [without] */
export function labelText(labels, without) {
  return labels
    .filter(([name]) => name !== without)
    .map(([name, value]) => `${name}="${value}"`)
    .join(", ");
}

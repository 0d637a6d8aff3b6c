// Numbers as people read them.

const BYTES = ["B", "kB", "MB", "GB", "TB", "PB"];
const SECONDS = /** @type {const} */ ([
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "µs"],
  [1e-9, "ns"],
]);
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** Three significant digits, without a tail of zeros. @param {number} value */
function short(value) {
  const size = Math.abs(value);
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}

/** Bytes in SI units, as the server writes them: `12.3 MB`. @param {number} value */
export function bytes(value) {
  if (!Number.isFinite(value)) return String(value);
  let unit = 0;
  let rest = value;
  while (Math.abs(rest) >= 999.5 && unit < BYTES.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(rest) : rest.toFixed(1)} ${BYTES[unit]}`;
}

/** A span of time: `12.3 ms`, `2 min 5 s`. @param {number} value in seconds */
export function seconds(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 86400 * 2) return `${short(value / 86400)} d`;
  if (size >= 7200) return `${short(value / 3600)} h`;
  if (size >= 120) return `${short(value / 60)} min`;
  if (size === 0) return "0 s";
  for (const [one, unit] of SECONDS) {
    if (size >= one) return `${short(value / one)} ${unit}`;
  }
  return `${short(value / 1e-9)} ns`;
}

/** A whole number with separators: `1,234,567`. @param {number} value */
export function count(value) {
  return WHOLE.format(value);
}

/** Any number, in few characters. @param {number} value */
export function number(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6) return COMPACT.format(value);
  return size !== 0 && size < 1e-3 ? value.toExponential(1) : SHORT.format(value);
}

/** `part` of `whole` in per cent: `12.3 %`; empty for a whole of nothing. @param {number} part @param {number} whole */
export function share(part, whole) {
  if (!(whole > 0)) return "";
  const percent = (100 * part) / whole;
  return percent > 0 && percent < 0.05 ? "< 0.1 %" : `${percent.toFixed(1)} %`;
}

/** A change with its sign: `+1.2 MB`; `±0` for none. @param {number} value @param {(value: number) => string} as */
export function change(value, as) {
  if (value === 0) return "±0";
  return value > 0 ? `+${as(value)}` : `−${as(-value)}`;
}

/** A moment as the time since then. @param {number} value in Unix seconds */
export function ago(value) {
  return value > 0 ? `${seconds(Date.now() / 1000 - value)} ago` : "never";
}

/** How numbers of a metric with this name are written, by its unit. @param {string} name */
export function unitOf(name) {
  if (/_(start_time|timestamp)_seconds$/.test(name)) return ago;
  if (/_bytes(_total|_sum)?$/.test(name)) return bytes;
  if (/_seconds(_total|_sum)?$/.test(name)) return seconds;
  return number;
}

// What was scraped, over time, and what is drawn of it: values of gauges, rates of counters, quantiles of histograms.

import { labelText } from "./exposition.js";

/** @typedef {import("./exposition.js").Family} Family */
/** @typedef {{ label: string, values: (number | null)[] }} Line */
/** @typedef {"value" | "rate" | "quantiles"} View */

/** Scrapes that are kept. */
export const KEPT = 240;

/** Scrapes over which quantiles are taken: one interval alone has too few observations. */
const WINDOW = 6;
const QUANTILES = [0.5, 0.9, 0.99];

/** Every series of one page visit.  A series that is not scraped has a gap. */
export class History {
  constructor() {
    /** @type {number[]} Unix seconds */
    this.times = [];
    /** @type {Map<string, Kept>} */
    this.families = new Map();
  }

  /** Add what a scrape found. @param {number} time in Unix seconds @param {Family[]} families */
  push(time, families) {
    this.times.push(time);
    for (const family of families) {
      let kept = this.families.get(family.name);
      if (!kept) this.families.set(family.name, (kept = new Kept(family)));
      kept.push(family, this.times.length);
    }
    for (const kept of this.families.values()) kept.fill(this.times.length);
    if (this.times.length > KEPT) {
      this.times.shift();
      for (const [name, kept] of this.families) if (!kept.shift()) this.families.delete(name);
    }
  }
}

/** @typedef {{ name: string, labels: [string, string][], values: (number | null)[] }} Series */

/** The series of one family. */
class Kept {
  /** @param {Family} family */
  constructor(family) {
    this.name = family.name;
    this.type = family.type;
    this.help = family.help;
    /** @type {Map<string, Series>} */
    this.series = new Map();
  }

  /** @param {Family} family @param {number} length how many scrapes there are, this one included */
  push(family, length) {
    this.type = family.type;
    this.help = family.help;
    for (const { name, labels, value } of family.samples) {
      if (name.endsWith("_created") && name !== family.name) continue;
      const key = `${name}{${labelText(labels)}}`;
      let series = this.series.get(key);
      if (!series) this.series.set(key, (series = { name, labels, values: new Array(length - 1).fill(null) }));
      if (series.values.length < length) series.values.push(value);
    }
  }

  /** @param {number} length */
  fill(length) {
    for (const { values } of this.series.values()) if (values.length < length) values.push(null);
  }

  /** Forget the oldest scrape; whether anything is left. */
  shift() {
    for (const [key, { values }] of this.series) {
      values.shift();
      if (values.every((value) => value === null)) this.series.delete(key);
    }
    return this.series.size > 0;
  }
}

/** The ways in which a family can be drawn, the best first. @param {string} type @returns {View[]} */
export function viewsOf(type) {
  if (type === "histogram") return ["quantiles", "rate"];
  if (type === "counter") return ["rate", "value"];
  return type === "summary" ? ["value", "rate"] : ["value"];
}

/**
 * The lines of a family, the highest last value first.
 *
 * @param {number[]} times
 * @param {Kept} family
 * @param {View} view
 * @returns {Line[]}
 */
export function linesOf(times, family, view) {
  const all = [...family.series.values()];
  if (view === "quantiles") return quantiles(times, all);
  const counts = family.type === "histogram" || family.type === "summary";
  const chosen = !counts
    ? all
    : all.filter(({ name }) => (view === "rate" ? name === `${family.name}_count` : name === family.name));
  const lines = chosen.map(({ name, labels, values }) => ({
    label: labelText(labels) || name,
    values: view === "rate" ? rates(times, values) : values.map(finite),
  }));
  return lines.sort((a, b) => (last(b.values) ?? -Infinity) - (last(a.values) ?? -Infinity));
}

/** The last number. @param {(number | null)[]} values @returns {number | null} */
export function last(values) {
  for (let at = values.length - 1; at >= 0; at--) if (values[at] !== null) return values[at];
  return null;
}

/** @param {number | null} value */
function finite(value) {
  return value !== null && Number.isFinite(value) ? value : null;
}

/** What was added since; after a reset everything is new. @param {number | null} before @param {number | null} now */
function increase(before, now) {
  if (before === null || now === null) return null;
  return now >= before ? now - before : now;
}

/**
 * Increase per second between one scrape and the next.
 *
 * @param {number[]} times
 * @param {(number | null)[]} values
 * @returns {(number | null)[]}
 */
export function rates(times, values) {
  return values.map((value, at) => {
    const added = at === 0 ? null : increase(values[at - 1], value);
    const passed = times[at] - times[at - 1];
    return added === null || !(passed > 0) ? null : added / passed;
  });
}

/** Quantiles of all series together, of what was observed lately. @param {number[]} times @param {Series[]} all @returns {Line[]} */
function quantiles(times, all) {
  const buckets = all.filter(({ name }) => name.endsWith("_bucket"));
  /** @type {Map<number, Series[]>} */
  const byBound = new Map();
  for (const series of buckets) {
    const bound = Number((series.labels.find(([name]) => name === "le")?.[1] ?? "").replace("+Inf", "Infinity"));
    byBound.set(bound, [...(byBound.get(bound) ?? []), series]);
  }
  const bounds = [...byBound.keys()].sort((a, b) => a - b);
  const lines = QUANTILES.map((quantile) => ({ label: `p${quantile * 100}`, values: /** @type {(number | null)[]} */ ([]) }));
  for (let at = 0; at < times.length; at++) {
    const from = Math.max(0, at - WINDOW);
    const counts = bounds.map((bound) =>
      (byBound.get(bound) ?? []).reduce((sum, { values }) => sum + (increase(values[from] ?? 0, values[at]) ?? 0), 0),
    );
    QUANTILES.forEach((quantile, row) => lines[row].values.push(at === 0 ? null : quantileOf(quantile, bounds, counts)));
  }
  return lines.reverse();
}

/**
 * A quantile of cumulative bucket counts, evenly spread inside a bucket (as Prometheus does it); null without observations.
 *
 * @param {number} quantile
 * @param {number[]} bounds upper bounds, ascending, the last one Infinity
 * @param {number[]} counts
 * @returns {number | null}
 */
export function quantileOf(quantile, bounds, counts) {
  const total = counts[counts.length - 1];
  if (!(total > 0)) return null;
  const rank = quantile * total;
  const at = counts.findIndex((count) => count >= rank);
  if (at === bounds.length - 1) return bounds.length > 1 ? bounds[at - 1] : null;
  const low = at > 0 ? bounds[at - 1] : Math.min(0, bounds[0]);
  const below = at > 0 ? counts[at - 1] : 0;
  return counts[at] === below ? bounds[at] : low + ((bounds[at] - low) * (rank - below)) / (counts[at] - below);
}

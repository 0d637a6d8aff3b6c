// What both memory pages know of the process: one row of facts, and heaps by place or by type.

import { el } from "./dom.js";
import { bytes, change, count } from "./format.js";
import { query } from "./sql.js";

/** @typedef {import("./sql.js").Row} Row */

export const FACTS = "select * from process.memory";
export const LINES = "from process.heap";
export const TYPES = "from process.gc_sizes";

/** The one row of `process.memory`. @returns {Promise<Row>} */
export async function facts() {
  const [[row]] = await query(FACTS);
  return row;
}

/** A figure with its name and, below it, a remark. @param {string} name @param {string} value @param {string} [remark] */
function figure(name, value, remark = "") {
  return el("div", { class: "figure" }, el("dt", {}, name), el("dd", {}, value, remark ? el("small", {}, remark) : null));
}

/** The facts as figures. @param {Row} now @param {Row} first those of the first read, for changes */
export function figures(now, first) {
  /** @param {string} key */
  const since = (key) => (now[key] === null || first[key] === null ? "" : `${change(now[key] - first[key], bytes)} since opened`);
  /** @param {string} key */
  const size = (key) => (now[key] === null ? "not known" : bytes(now[key]));
  return [
    figure("Resident", size("resident"), since("resident")),
    figure("Largest so far", size("peak_resident")),
    figure("Threads", count(now.threads)),
    figure("Collector", now.gc_enabled ? "on" : "off", `full collections: ${count(now.gc_collections)}`),
    now.tracing
      ? figure("Traced", bytes(now.traced), `${since("traced")}; largest ${bytes(now.peak_traced)}`)
      : figure("Tracing", "off", "switch it on to see lines"),
  ];
}

/** Where the numbers come from, and what they leave out. @param {boolean} traced */
export function source(traced) {
  return traced
    ? "From tracemalloc: live blocks that Python allocated since tracing was switched on, by the line that allocated them."
    : "From the garbage collector: objects that it follows, with their own sizes. Strings, numbers and what native code " +
        "allocates are not among them.";
}

// /memory: how much there is, whether it grows, and what it is made of.

import { Chart } from "./chart.js";
import { byId, choice, complain, el } from "./dom.js";
import { bytes, change, count, share } from "./format.js";
import { FACTS, figures, LINES, source, TYPES } from "./heap.js";
import { Refresh } from "./refresh.js";
import { query } from "./sql.js";
import { SortedTable } from "./table.js";

/** @typedef {import("./sql.js").Row} Row */
/** @typedef {"type" | "module" | "line"} View */

const MOST = 5000;
const KEPT = 600;

/** Milliseconds between two reads of all objects that nobody asked for: it is the expensive part. */
const OBJECTS_EVERY = 30_000;
const VIEWS = /** @type {const} */ ([
  ["type", "types"],
  ["module", "modules"],
  ["line", "lines"],
]);

/** The statement of a view. @param {View} view @param {boolean} tracing */
export function statement(view, tracing) {
  const end = `order by bytes desc limit ${MOST}`;
  if (view === "type") return `select type as name, module, count, bytes ${TYPES} ${end}`;
  if (view === "line") {
    return `select file || ':' || line as name, module, function, blocks as count, bytes ${LINES} ${end}`;
  }
  return tracing
    ? `select coalesce(module, '(unknown)') as name, sum(blocks) as count, sum(bytes) as bytes ${LINES} group by 1 ${end}`
    : `select module as name, sum(count) as count, sum(bytes) as bytes ${TYPES} group by 1 ${end}`;
}

class MemoryPage {
  constructor() {
    /** @type {View} */
    this.view = "type";
    /** @type {Row | null} */
    this.first = null;
    /** @type {Map<string, number>} what each row had when its view was first read */
    this.before = new Map();
    this.readAt = 0;
    /** @type {number[]} */
    this.times = [];
    /** @type {(number | null)[][]} resident, traced */
    this.sizes = [[], []];
    this.figures = el("dl", { class: "figures" });
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.source = el("p", { class: "dim" });
    this.chart = new Chart("Memory since the page was opened", bytes, 140, true);
    this.place = el("div");
    this.table = this.makeTable();
    this.refresh = new Refresh((asked) => this.read(asked), (problem) => complain(this.problem, problem), 5);
    byId("main").append(
      this.refresh.controls,
      this.problem,
      this.figures,
      this.chart.element,
      choice("Show", VIEWS, this.view, (view) => this.choose(view)),
      this.source,
      this.place,
    );
    this.refresh.now();
  }

  makeTable() {
    const change_ = { key: "grown", title: "Since opened", number: true, cell: (/** @type {Row} */ row) => change(row.grown, bytes) };
    const table = new SortedTable(
      "",
      [
        { key: "name", title: { type: "Type", module: "Module", line: "Line" }[this.view], cell: (row) => el("code", {}, row.name) },
        ...(this.view === "module" ? [] : [{ key: "module", title: "Module" }]),
        ...(this.view === "line" ? [{ key: "function", title: "Function" }] : []),
        { key: "count", title: "Count", number: true, cell: (row) => count(row.count) },
        { key: "bytes", title: "Bytes", number: true, cell: (row) => bytes(row.bytes) },
        { key: "part", title: "Share", number: true, cell: (row) => bar(row.part) },
        change_,
      ],
      "bytes",
    );
    this.place.replaceChildren(table.element);
    return table;
  }

  /** @param {View} view */
  choose(view) {
    this.view = view;
    this.before.clear();
    this.table = this.makeTable();
    this.refresh.now();
  }

  /** @param {boolean} asked */
  async read(asked) {
    const view = this.view;
    const [[now]] = await query(FACTS);
    this.first ??= now;
    this.figures.replaceChildren(...figures(now, this.first));
    this.draw(now);
    if (asked || performance.now() - this.readAt > OBJECTS_EVERY) await this.readTable(view, now);
  }

  /** @param {View} view @param {Row} now */
  async readTable(view, now) {
    const traced = view !== "type" && now.tracing;
    this.source.textContent =
      view === "line" && !now.tracing
        ? "Lines are known while tracing is on: switch it on with POST /prof/mode {\"memory_active\": true} or on the page /prof/. It slows allocation down."
        : source(traced);
    const [rows] = view === "line" && !now.tracing ? [[]] : await query(statement(view, now.tracing));
    this.readAt = performance.now();
    if (view !== this.view) return; // chosen anew meanwhile: that is read next
    const fresh = this.before.size === 0;
    const total = rows.reduce((sum, row) => sum + row.bytes, 0);
    for (const row of rows) {
      const key = `${row.name} ${row.module ?? ""} ${row.function ?? ""}`;
      if (fresh) this.before.set(key, row.bytes);
      row.grown = row.bytes - (this.before.get(key) ?? 0);
      row.part = total > 0 ? row.bytes / total : 0;
    }
    this.table.set(rows, `${bytes(total)} in ${rows.length} ${view}s, of process ${now.pid} (${now.program}), at ${new Date().toLocaleTimeString()}`);
  }

  /** @param {Row} now */
  draw(now) {
    this.times.push(Date.now() / 1000);
    this.sizes[0].push(now.resident);
    this.sizes[1].push(now.tracing ? now.traced : null);
    if (this.times.length > KEPT) for (const list of [this.times, ...this.sizes]) list.shift();
    const lines = [{ label: "resident", values: this.sizes[0] }];
    if (this.sizes[1].some((size) => size !== null)) lines.push({ label: "traced", values: this.sizes[1] });
    this.chart.set(this.times, lines);
  }
}

/** A share as a bar with its number. @param {number} part 0 to 1 */
function bar(part) {
  return el("span", { class: "share" }, el("progress", { max: 1, value: part, "aria-hidden": "true" }), el("span", {}, share(part, 1) || "0 %"));
}

new MemoryPage();

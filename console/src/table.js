// A table whose columns sort, with a filter: for relations that are read again and again.

import { el } from "./dom.js";
import { matcher } from "./tree.js";

/** @typedef {import("./sql.js").Row} Row */
/**
 * @typedef {object} Column
 * @property {string} key of the row
 * @property {string} title
 * @property {boolean} [number] lined up on the right, and sorted from the largest
 * @property {(row: Row) => import("./dom.js").Child} [cell] what stands there; the value if not given
 */

/** Rows that are in the document at once. */
const MOST = 200;

/** The table.  `set` gives it rows and keeps order and filter. */
export class SortedTable {
  /** @param {string} caption @param {Column[]} columns @param {string} sortedBy the key of a column */
  constructor(caption, columns, sortedBy) {
    this.columns = columns;
    this.sortedBy = sortedBy;
    this.down = true;
    /** @type {Row[]} */
    this.rows = [];
    this.heads = columns.map((column) => {
      const button = el("button", { type: "button", click: () => this.sort(column) }, column.title);
      return el("th", { scope: "col", class: column.number ? "number" : null }, button);
    });
    this.body = el("tbody");
    this.caption = el("caption", {}, caption);
    this.filter = el("input", { type: "search", placeholder: "text or /expression/", spellcheck: "false", input: () => this.draw() });
    this.shown = el("span", { class: "dim", role: "status" });
    this.element = el(
      "div",
      { class: "sorted" },
      el("div", { class: "tools" }, el("label", {}, "Filter ", this.filter), this.shown),
      el("div", { class: "scroll" }, el("table", {}, this.caption, el("thead", {}, el("tr", {}, ...this.heads)), this.body)),
    );
  }

  /** @param {Row[]} rows @param {string} [caption] */
  set(rows, caption) {
    this.rows = rows;
    if (caption !== undefined) this.caption.textContent = caption;
    this.draw();
  }

  /** @param {Column} column */
  sort(column) {
    this.down = this.sortedBy === column.key ? !this.down : Boolean(column.number);
    this.sortedBy = column.key;
    this.draw();
  }

  draw() {
    const matches = matcher(this.filter.value);
    const kept = matches ? this.rows.filter((row) => matches(this.columns.map(({ key }) => row[key] ?? "").join(" "))) : this.rows;
    const sorted = kept.toSorted((a, b) => compare(a[this.sortedBy], b[this.sortedBy]) * (this.down ? -1 : 1));
    this.heads.forEach((head, at) => {
      if (this.columns[at].key === this.sortedBy) head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    this.body.replaceChildren(...sorted.slice(0, MOST).map((row) => this.row(row)));
    this.shown.textContent = sorted.length > MOST ? `the first ${MOST} of ${sorted.length}` : `${sorted.length} rows`;
  }

  /** @param {Row} row */
  row(row) {
    return el(
      "tr",
      {},
      ...this.columns.map(({ key, number, cell }) => {
        const value = row[key];
        return el("td", { class: number ? "number" : null }, cell ? cell(row) : value === null || value === undefined ? "" : String(value));
      }),
    );
  }
}

/** Numbers by size, texts by their letters, nothing before anything. @param {any} a @param {any} b */
function compare(a, b) {
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : -1;
  if (b === null || b === undefined) return 1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

// A tree as an indented table with bars (the ARIA pattern "treegrid"): rows open and close, arrow keys walk.

import { el } from "./dom.js";

/** @typedef {import("./tree.js").Tree} Tree */
/** @typedef {{ title: string, text: (tree: Tree, node: number) => string }} Figure */

/** Children of one node that are shown; the rest is one line. */
const MOST = 50;
const DEEP = 12;

/** The table.  What is open stays open when another tree is shown. */
export class TreeTable {
  /** @param {string} caption @param {Figure[]} figures */
  constructor(caption, figures) {
    this.figures = figures;
    /** @type {Tree | null} */
    this.tree = null;
    /** @type {Set<string>} paths of open nodes */
    this.open = new Set();
    this.opened = false;
    /** @type {string} the path of the row that has the focus, or would get it */
    this.current = "";
    this.body = el("tbody");
    const heads = ["Place", "Share", ...figures.map(({ title }) => title)];
    this.element = el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "tree", role: "treegrid", keydown: (/** @type {KeyboardEvent} */ event) => this.pressed(event) },
        el("caption", {}, caption),
        el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { scope: "col", class: at > 1 ? "number" : null }, head)))),
        this.body,
      ),
    );
  }

  /** @param {Tree} tree */
  show(tree) {
    this.tree = tree;
    if (!this.opened) {
      // The first look: the process and its workers.
      this.opened = true;
      this.open.add(this.key(0));
      for (const worker of tree.childrenOf(0)) this.open.add(this.key(worker));
      this.current = this.key(0);
    }
    this.draw();
  }

  /** @param {number} node */
  key(node) {
    const tree = /** @type {Tree} */ (this.tree);
    return JSON.stringify(tree.pathTo(node).slice(1).map((at) => tree.text(at)));
  }

  draw() {
    const focused = this.body.contains(document.activeElement);
    /** @type {HTMLTableRowElement[]} */
    const rows = [];
    this.add(0, 1, 1, 1, rows);
    this.body.replaceChildren(...rows);
    const current = rows.find((row) => row.dataset.key === this.current) ?? rows[0];
    current.tabIndex = 0;
    if (focused) current.focus();
  }

  /** @param {number} node @param {number} level @param {number} at @param {number} of @param {HTMLTableRowElement[]} rows */
  add(node, level, at, of, rows) {
    const tree = /** @type {Tree} */ (this.tree);
    const children = tree.childrenOf(node);
    const key = this.key(node);
    const open = children.length > 0 && this.open.has(key);
    const marker = el("span", { class: "marker", "aria-hidden": "true" }, children.length ? (open ? "▾" : "▸") : "");
    const row = el(
      "tr",
      {
        role: "row",
        tabindex: "-1",
        "aria-level": level,
        "aria-posinset": at,
        "aria-setsize": of,
        "aria-expanded": children.length ? String(open) : null,
        "data-key": key,
        click: () => this.toggle(key, !open, children.length > 0),
      },
      el("td", { role: "gridcell", class: `code level-${Math.min(level, DEEP)}` }, marker, tree.text(node)),
      el(
        "td",
        { role: "gridcell" },
        el("progress", { max: tree.totals[0] || 1, value: tree.totals[node], "aria-hidden": "true" }),
      ),
      ...this.figures.map(({ text }) => el("td", { role: "gridcell", class: "number" }, text(tree, node))),
    );
    rows.push(row);
    if (!open) return;
    children.slice(0, MOST).forEach((child, index) => this.add(child, level + 1, index + 1, children.length, rows));
    if (children.length > MOST) rows.push(this.rest(level + 1, children.length - MOST));
  }

  /** @param {number} level @param {number} count */
  rest(level, count) {
    const text = `and ${count} smaller ones`;
    return el("tr", { role: "row", tabindex: "-1", class: "dim" }, el("td", { role: "gridcell", class: `level-${Math.min(level, DEEP)}` }, text));
  }

  /** @param {string} key @param {boolean} open @param {boolean} inner whether there is anything to open */
  toggle(key, open, inner) {
    this.current = key;
    if (inner && open) this.open.add(key);
    else this.open.delete(key);
    this.draw();
    this.focus(key);
  }

  /** @param {string} key */
  focus(key) {
    this.current = key;
    for (const row of this.rows()) row.tabIndex = row.dataset.key === key ? 0 : -1;
    this.rows().find((row) => row.dataset.key === key)?.focus();
  }

  /** Rows that stand for nodes. @returns {HTMLTableRowElement[]} */
  rows() {
    return [...this.body.rows].filter((row) => row.dataset.key !== undefined);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const rows = this.rows();
    const at = rows.findIndex((row) => row === document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[at];
    const [key, expanded] = [row.dataset.key ?? "", row.getAttribute("aria-expanded")];
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 });
    if (event.key in steps) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, steps[event.key]))];
      this.focus(next.dataset.key ?? "");
    } else if (event.key === "ArrowRight" && expanded === "false") this.toggle(key, true, true);
    else if (event.key === "ArrowLeft" && expanded === "true") this.toggle(key, false, true);
    else if (event.key === "ArrowLeft") this.focus(JSON.stringify(JSON.parse(key).slice(0, -1)));
    else if (event.key === "Enter" || event.key === " ") this.toggle(key, expanded === "false", expanded !== null);
    else return;
    event.preventDefault();
  }
}

// /hierarchical-memory: process, worker, module, file and line; drawn, and as a tree to walk through.

import { byId, complain, el } from "./dom.js";
import { bytes, share } from "./format.js";
import { FACTS, figures, LINES, source, TYPES } from "./heap.js";
import { Icicle } from "./icicle.js";
import { Refresh } from "./refresh.js";
import { query } from "./sql.js";
import { TreeBuilder } from "./tree.js";
import { TreeTable } from "./treetable.js";

/** @typedef {import("./sql.js").Row} Row */

const MOST = 20000;
const BY_LINE = `select coalesce(module, '(unknown)') as module, file, line, function, bytes ${LINES} order by bytes desc limit ${MOST}`;
const BY_TYPE = `select module, type, bytes ${TYPES} order by bytes desc limit ${MOST}`;

// Workers in processes of their own have their own page, behind the path of their replica.
const WORKER = "worker 0: the process itself";

/** The tree of a heap. @param {Row} facts @param {Row[]} rows of one of the two statements */
function grow(facts, rows) {
  const builder = new TreeBuilder(`${facts.program} (process ${facts.pid})`);
  for (const row of rows) {
    const leaf = facts.tracing
      ? [row.file, row.function ? `${row.function} (${row.file}:${row.line})` : `line ${row.line}`]
      : [row.type];
    builder.add([WORKER, row.module || "builtins", ...leaf], row.bytes);
  }
  return builder.finish();
}

class HierarchyPage {
  constructor() {
    /** @type {Row | null} */
    this.first = null;
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.figures = el("dl", { class: "figures" });
    this.source = el("p", { class: "dim" });
    this.icicle = new Icicle({ label: "Memory of the process, by worker, module and line", format: bytes });
    this.table = new TreeTable("The same as a table", [
      { title: "Bytes", text: (tree, node) => bytes(tree.totals[node]) },
      { title: "Of all", text: (tree, node) => share(tree.totals[node], tree.totals[0]) },
    ]);
    this.refresh = new Refresh(() => this.read(), (problem) => complain(this.problem, problem), 60);
    byId("main").append(
      this.refresh.controls,
      this.problem,
      this.figures,
      this.source,
      this.icicle.element,
      this.table.element,
    );
    this.refresh.now();
  }

  async read() {
    const [[now]] = await query(FACTS);
    this.first ??= now;
    this.figures.replaceChildren(...figures(now, this.first));
    const [rows] = await query(now.tracing ? BY_LINE : BY_TYPE);
    this.source.textContent = source(now.tracing);
    const tree = grow(now, rows);
    this.icicle.show(tree);
    this.table.show(tree);
  }
}

new HierarchyPage();

// /hierarchical-memory: process, worker, module, file and line; drawn, and as a tree to walk through.

import { byId, complain, el } from "./dom.js";
import { bytes, share } from "./format.js";
import { FACTS, figures, LINES, source, TYPES } from "./heap.js";
import { Icicle } from "./icicle.js";
import { Refresh } from "./refresh.js";
import { query, queryAt } from "./sql.js";
import { TreeBuilder } from "./tree.js";
import { TreeTable } from "./treetable.js";

/** @typedef {import("./sql.js").Row} Row */

const MOST = 20000;
const BY_LINE = `select coalesce(module, '(unknown)') as module, file, line, function, bytes ${LINES} order by bytes desc limit ${MOST}`;
const BY_TYPE = `select module, type, bytes ${TYPES} order by bytes desc limit ${MOST}`;

const WORKERS = "select * from process.workers order by not own, cluster_name, replica_name, process";
const SHOWN = 16;

/** @typedef {{ worker: Row, facts: Row, rows: Row[] }} Heap */

/** What a worker is called. @param {Row} worker */
const called = (worker) => `${worker.cluster_name}.${worker.replica_name}/${worker.process}`;

/** The tree of some heaps. @param {string} program @param {Heap[]} heaps */
function grow(program, heaps) {
  const builder = new TreeBuilder(program);
  for (const { worker, facts, rows } of heaps) {
    const name = `worker ${called(worker)} (process ${facts.pid}${worker.own ? ", this one" : ""})`;
    for (const row of rows) {
      const leaf = facts.tracing
        ? [row.file, row.function ? `${row.function} (${row.file}:${row.line})` : `line ${row.line}`]
        : [row.type];
      builder.add([name, row.module || "builtins", ...leaf], row.bytes);
    }
  }
  return builder.finish();
}

/**
 * The heap of a worker by its own `/api/sql`, or why there is none.
 *
 * @param {Row} worker
 * @param {Row} own the facts of this process
 * @returns {Promise<Heap | string>}
 */
async function heap(worker, own) {
  const at = `/api/cluster/${worker.cluster_id}/replica/${worker.replica_id}/process/${worker.process}`;
  try {
    const [[facts]] = worker.own ? [[own]] : await queryAt(at, FACTS);
    const [rows] = await queryAt(worker.own ? "" : at, facts.tracing ? BY_LINE : BY_TYPE);
    return { worker, facts, rows };
  } catch (problem) {
    if (worker.own) throw problem;
    return `${called(worker)} cannot be read: ${problem instanceof Error ? problem.message : problem}`;
  }
}

class HierarchyPage {
  constructor() {
    /** @type {Row | null} */
    this.first = null;
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.figures = el("dl", { class: "figures" });
    this.source = el("p", { class: "dim" });
    this.lacking = el("p", { class: "dim", hidden: true });
    this.icicle = new Icicle({ label: "Memory of the processes, by worker, module and line", format: bytes });
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
      this.lacking,
      this.icicle.element,
      this.table.element,
    );
    this.refresh.now();
  }

  async read() {
    const [[now], workers] = await query(FACTS, WORKERS);
    this.first ??= now;
    this.figures.replaceChildren(...figures(now, this.first));
    const found = await Promise.all(workers.slice(0, SHOWN).map((worker) => heap(worker, now)));
    /** @type {Heap[]} */
    const heaps = found.flatMap((each) => (typeof each === "string" ? [] : [each]));
    const lacking = found.flatMap((each) => (typeof each === "string" ? [each] : []));
    if (workers.length > SHOWN) lacking.push(`${workers.length - SHOWN} more workers are not shown`);
    this.source.textContent = source(now.tracing);
    this.lacking.textContent = lacking.join("; ");
    this.lacking.hidden = !lacking.length;
    const others = workers.length - 1;
    const tree = grow(now.program + (others ? ` and ${others} ${others > 1 ? "workers" : "worker"}` : ""), heaps);
    this.icicle.show(tree);
    this.table.show(tree);
  }
}

new HierarchyPage();

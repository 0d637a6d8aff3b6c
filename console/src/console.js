// The built-in console: SQL over the process, its relations at hand.

import { byId, complain, el } from "./dom.js";
import { count } from "./format.js";
import { ask, query } from "./sql.js";

/** @typedef {import("./sql.js").Result} Result */
/** @typedef {import("./sql.js").Failed} Failed */

const FIRST = "select name, state, function, waiting_on from process.tasks order by name";
const SHOWN = 500;
const RELATIONS = `
  select table_schema || '.' || table_name as name, string_agg(column_name || ' ' || lower(data_type), ', ' order by ordinal_position) as columns
  from information_schema.columns where table_schema not in ('information_schema', 'pg_catalog', 'mz_catalog', 'mz_internal')
    and not starts_with(table_name, '__live_')
  group by 1 order by 1`;

class Console {
  constructor() {
    this.text = el("textarea", { rows: 6, spellcheck: "false", autocapitalize: "off", "aria-describedby": "console-help" });
    this.text.value = FIRST;
    this.run_ = el("button", { type: "button", class: "main", click: () => this.run() }, "Run");
    this.stop = el("button", { type: "button", disabled: true, click: () => this.running?.abort() }, "Stop");
    this.state = el("span", { class: "dim", role: "status" });
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.results = el("div", { class: "results" });
    this.list = el("ul", { class: "relations" });
    /** @type {AbortController | null} */
    this.running = null;
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.run();
      }
    });
    byId("main").append(
      el(
        "div",
        { class: "console" },
        el(
          "section",
          { "aria-label": "Statement" },
          el("label", { class: "statement" }, "SQL", this.text),
          el("div", { class: "tools" }, this.run_, this.stop, this.state),
          el("p", { class: "dim", id: "console-help" }, "Ctrl+Enter runs. Several statements are separated by semicolons."),
          this.problem,
          this.results,
        ),
        el("nav", { "aria-label": "Relations" }, el("h2", {}, "Relations"), this.list),
      ),
    );
    this.relations().catch((problem) => complain(this.problem, problem));
    this.run();
  }

  async relations() {
    const [rows] = await query(RELATIONS);
    this.list.replaceChildren(
      ...rows.map(({ name, columns }) =>
        el(
          "li",
          {},
          el("button", { type: "button", title: columns, click: () => this.take(`select * from ${name} limit 100`) }, name),
        ),
      ),
    );
  }

  /** @param {string} statement */
  take(statement) {
    this.text.value = statement;
    this.run();
  }

  async run() {
    if (this.running) return;
    this.running = new AbortController();
    this.run_.disabled = true;
    this.stop.disabled = false;
    this.state.textContent = "running";
    const began = performance.now();
    try {
      const results = await ask(this.text.value, this.running.signal);
      complain(this.problem, null);
      this.results.replaceChildren(...results.map(show));
      this.state.textContent = `${((performance.now() - began) / 1000).toFixed(2)} s`;
    } catch (problem) {
      this.results.replaceChildren();
      this.state.textContent = "";
      complain(this.problem, this.running.signal.aborted ? "Stopped." : problem);
    } finally {
      this.running = null;
      this.run_.disabled = false;
      this.stop.disabled = true;
    }
  }
}

/** @param {Result | Failed} result */
function show(result) {
  if ("error" in result) return el("p", { class: "problem" }, `${result.error.message} (SQLSTATE ${result.error.code})`);
  if (!result.columns.length) return el("p", { class: "dim" }, result.tag);
  const rows = result.rows.slice(0, SHOWN);
  const more = result.rows.length > SHOWN ? `, the first ${SHOWN} shown` : "";
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      {},
      el("caption", {}, `${count(result.rows.length)} rows${more}`),
      el("thead", {}, el("tr", {}, ...result.columns.map(({ name }) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cell)))),
    ),
  );
}

/** @param {any} value */
function cell(value) {
  if (value === null) return el("td", { class: "null" }, "null");
  return el("td", {}, typeof value === "object" ? JSON.stringify(value) : String(value));
}

new Console();

// The flame graph page: the profile that came with it, or one that is opened from a file.

import { byId, complain, el } from "./dom.js";
import { bytes, count, number, seconds, share } from "./format.js";
import { Icicle } from "./icicle.js";
import { parseMzfg } from "./mzfg.js";

const FILE = "trace.mzfg";
const ROWS = 30;

/**
 * How weights are written.  Bytes say so in the header; the only weights that have fractions are those of a profile
 * that tells its sampling time in seconds.
 *
 * @param {Map<string, string>} header @param {import("./tree.js").Tree} tree
 */
function unit(header, tree) {
  if (header.get("display_bytes") === "1") return bytes;
  const whole = tree.own.every(Number.isInteger);
  return whole ? count : header.has("Sampling time (s)") ? seconds : number;
}

/** @param {string} text */
function save(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  el("a", { href: url, download: FILE }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

class FlameGraphPage {
  /** @param {HTMLElement} main @param {string} title */
  constructor(main, title) {
    this.main = main;
    this.title = title;
    this.text = "";
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.facts = el("dl", { class: "facts" });
    this.graph = el("div");
    this.file = el("input", { type: "file", accept: ".mzfg,text/plain", change: () => this.open() });
    main.append(
      el(
        "div",
        { class: "tools files" },
        el("button", { type: "button", click: () => save(this.text) }, "Save as .mzfg"),
        el("label", { class: "file" }, "Open a .mzfg file ", this.file),
      ),
      this.problem,
      this.facts,
      this.graph,
    );
  }

  /** @param {string} text @param {string} name */
  show(text, name) {
    const began = performance.now();
    const { header, tree, stacks, annotated } = parseMzfg(text);
    this.text = text;
    const format = unit(header, tree);
    const icicle = new Icicle({ label: `${this.title}: ${name}`, format });
    this.graph.replaceChildren(icicle.element, top(tree, format));
    icicle.show(tree);
    this.explain(header, tree, stacks, annotated, format);
    complain(this.problem, stacks === 0 ? "The profile has no stacks: nothing was observed." : null);
    // For people who wonder, and for the test: from the text to the picture.
    this.main.dataset.milliseconds = (performance.now() - began).toFixed(0);
  }

  /**
   * @param {Map<string, string>} header @param {import("./tree.js").Tree} tree @param {number} stacks
   * @param {boolean} annotated @param {(weight: number) => string} format
   */
  explain(header, tree, stacks, annotated, format) {
    const shown = [...header].filter(([key]) => !/^(mz_fg_version|display_\w+|!!!.*)$/.test(key));
    const facts = [["Total", format(tree.totals[0])], ["Distinct stacks", count(stacks)], ...shown];
    if (annotated) facts.push(["First level", "threads"]);
    this.facts.replaceChildren(...facts.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))));
  }

  async open() {
    const [file] = this.file.files ?? [];
    if (!file) return;
    try {
      this.show(await file.text(), file.name);
    } catch (problem) {
      complain(this.problem, `${file.name}: ${problem instanceof Error ? problem.message : problem}`);
    }
  }
}

/** The functions with the largest weight of their own, made when it is opened. @param {import("./tree.js").Tree} tree @param {(weight: number) => string} format */
function top(tree, format) {
  const details = el("details", { class: "top" }, el("summary", {}, "The largest by their own weight, as a table"));
  details.addEventListener("toggle", () => details.append(topTable(tree, format)), { once: true });
  return details;
}

/** @param {import("./tree.js").Tree} tree @param {(weight: number) => string} format */
function topTable(tree, format) {
  const total = tree.totals[0];
  /** @param {number} weight */
  const cells = (weight) => [el("td", { class: "number" }, format(weight)), el("td", { class: "number" }, share(weight, total))];
  const heads = ["Own", "of all", "With what is below", "of all", "Frame"];
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...heads.map((name, at) => el("th", { scope: "col", class: at < 4 ? "number" : null }, name)))),
    el(
      "tbody",
      {},
      ...tree
        .byName(ROWS)
        .map(({ name, own, total: below }) => el("tr", {}, ...cells(own), ...cells(below), el("td", { class: "code" }, name))),
    ),
  );
}

const page = new FlameGraphPage(byId("main"), document.title);
try {
  page.show(JSON.parse(byId("mzfg").textContent ?? '""'), FILE);
} catch (problem) {
  complain(page.problem, problem);
}

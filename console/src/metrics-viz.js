// /metrics-viz: every family of /metrics as a small chart, with search.

import { Chart } from "./chart.js";
import { byId, choice, complain, el } from "./dom.js";
import { parseExposition } from "./exposition.js";
import { number, unitOf } from "./format.js";
import { Refresh } from "./refresh.js";
import { History, linesOf, viewsOf } from "./series.js";
import { matcher } from "./tree.js";

/** @typedef {import("./series.js").View} View */

/** Charts in the document at first; a button asks for more. */
const STEP = 48;
const WORDS = /** @type {Record<View, string>} */ ({ value: "value", rate: "per second", quantiles: "quantiles" });

/** Metrics that every process has come after those that only this one has. @param {string} name */
function rank(name) {
  const common = ["process_", "mz_", "fanlight_", "python_"];
  return common.findIndex((prefix) => name.startsWith(prefix)) + 1 || (name.endsWith("_info") ? common.length + 1 : 0);
}

/** The numbers of a view. @param {string} name @param {View} view */
function formatOf(name, view) {
  const unit = unitOf(name);
  if (view !== "rate") return unit;
  // Seconds per second are a ratio; observations of a histogram are counted, whatever is observed.
  return (/** @type {number} */ value) => `${name.includes("_bytes") ? unit(value) : number(value)}/s`;
}

/** One family: its name, what it is, a chart. */
class Card {
  /** @param {MetricsPage} page @param {string} name @param {string} type @param {string} help */
  constructor(page, name, type, help) {
    this.page = page;
    this.name = name;
    const views = viewsOf(type);
    /** @type {View} */
    this.view = views[0];
    this.seen = false;
    this.place = el("div");
    this.chart = this.draw();
    const options = views.map((view) => /** @type {const} */ ([view, WORDS[view]]));
    const chosen = views.length > 1 ? choice(`Show ${name} as`, options, this.view, (view) => this.choose(view)) : null;
    this.element = el(
      "article",
      { class: "card", "aria-label": name },
      el("header", {}, el("h2", {}, name), el("span", { class: "type" }, type)),
      el("p", { class: "dim" }, help),
      chosen,
      this.place,
    );
    page.watcher.observe(this.element);
  }

  draw() {
    const chart = new Chart(this.name, formatOf(this.name, this.view), 110);
    this.place.replaceChildren(chart.element);
    return chart;
  }

  /** @param {View} view */
  choose(view) {
    this.view = view;
    this.chart.close();
    this.chart = this.draw();
    this.update();
  }

  update() {
    const { history } = this.page;
    const family = history.families.get(this.name);
    if (family && this.seen) this.chart.set(history.times, linesOf(history.times, family, this.view));
  }
}

class MetricsPage {
  constructor() {
    this.history = new History();
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    this.most = STEP;
    this.problem = el("p", { class: "problem", role: "alert", hidden: true });
    this.search = el("input", { type: "search", placeholder: "name, help or label", spellcheck: "false", input: () => this.sift() });
    this.search.value = new URLSearchParams(location.hash.slice(1)).get("q") ?? "";
    this.shown = el("span", { class: "dim", role: "status" });
    this.grid = el("div", { class: "cards" });
    this.more = el("button", { type: "button", hidden: true, click: () => this.grow() }, "Show more");
    this.watcher = new IntersectionObserver((entries) => this.moved(entries), { rootMargin: "200px" });
    this.refresh = new Refresh(() => this.read(), (problem) => complain(this.problem, problem), 5);
    byId("main").append(
      this.refresh.controls,
      el("div", { class: "tools" }, el("label", {}, "Search ", this.search), this.shown),
      this.problem,
      this.grid,
      this.more,
    );
    this.refresh.now();
  }

  async read() {
    const response = await fetch("/metrics", { headers: { accept: "text/plain" }, signal: AbortSignal.timeout(30_000) });
    if (!response.ok) {
      throw new Error(response.status === 404 ? "This listener does not serve /metrics." : `/metrics answered ${response.status}.`);
    }
    const families = parseExposition(await response.text());
    const told = families.filter(({ name, samples }) => samples.length > 0 && !name.endsWith("_created"));
    this.history.push(Date.now() / 1000, told);
    this.arrange();
  }

  /** The families that are searched for: the program's own first, each kind in the order of the scrape. */
  wanted() {
    const matches = matcher(this.search.value);
    const families = [...this.history.families.values()].sort((a, b) => rank(a.name) - rank(b.name));
    if (!matches) return families;
    return families.filter(({ name, help, series }) => matches(`${name} ${help}`) || [...series.keys()].some(matches));
  }

  arrange() {
    const wanted = this.wanted();
    const now = wanted.slice(0, this.most).map(({ name, type, help }) => {
      let card = this.cards.get(name);
      if (!card) this.cards.set(name, (card = new Card(this, name, type, help)));
      return card;
    });
    const elements = now.map(({ element }) => element);
    // Moving elements about would take the focus away.
    const same = elements.length === this.grid.children.length && elements.every((element, at) => element === this.grid.children[at]);
    if (!same) this.grid.replaceChildren(...elements);
    for (const card of now) card.update();
    this.more.hidden = wanted.length <= this.most;
    this.shown.textContent = `${wanted.length} of ${this.history.families.size} metrics`;
  }

  sift() {
    const wanted = this.search.value;
    history.replaceState(null, "", wanted ? `#${new URLSearchParams({ q: wanted })}` : location.pathname);
    this.most = STEP;
    this.arrange();
  }

  grow() {
    this.most += STEP;
    this.arrange();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  moved(entries) {
    for (const { target, isIntersecting } of entries) {
      const card = [...this.cards.values()].find(({ element }) => element === target);
      if (!card) continue;
      card.seen = isIntersecting;
      if (isIntersecting) card.update();
    }
  }
}

new MetricsPage();

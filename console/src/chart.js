/*! With uPlot 1.6.32, Copyright (c) 2022 Leon Sorokin, MIT License: see uPlot.LICENSE. */

// Charts over time, drawn by uPlot, with a table of their lines: legend, values, and what a screen reader reads.

import uPlot from "uplot";

import { el } from "./dom.js";

/** @typedef {import("./series.js").Line} Line */

/** Lines of one chart; more cannot be told apart. */
export const MOST_LINES = 8;

/** Seconds that are shown at least, so that the first minutes do not shrink all the time. */
const SHORTEST = 120;

const DARK = window.matchMedia("(prefers-color-scheme: dark)");
// Told apart by people who see colours differently too, and against both backgrounds.
const COLOURS = {
  light: ["#0b6bcb", "#c2410c", "#15803d", "#9333ea", "#b45309", "#0e7490", "#be185d", "#4d5b6b"],
  dark: ["#6cb2ff", "#ff9b66", "#5fd38d", "#c79bff", "#f2c14e", "#4fd1e0", "#ff86b7", "#aeb9c7"],
};

/** One chart.  `set` gives it new lines; it draws itself again when its width or the colour scheme changes. */
export class Chart {
  /**
   * @param {string} label what is drawn
   * @param {(value: number) => string} format
   * @param {number} [height] in pixels
   * @param {boolean} [tight] begin near the lowest value, where a small change shows, and not at nought
   */
  constructor(label, format, height = 140, tight = false) {
    this.label = label;
    this.format = format;
    this.height = height;
    this.tight = tight;
    /** @type {uPlot | null} */
    this.plot = null;
    /** @type {number[]} */
    this.times = [];
    /** @type {Line[]} */
    this.lines = [];
    this.shape = "";
    this.area = el("div", { class: "plot", "aria-hidden": "true" });
    this.rows = el("tbody");
    this.more = el("p", { class: "dim", hidden: true });
    this.element = el(
      "div",
      { class: "chart" },
      this.area,
      el(
        "table",
        { class: "legend" },
        el("caption", { class: "unseen" }, `${label}: last values`),
        el(
          "thead",
          { class: "unseen" },
          el("tr", {}, el("th", { scope: "col" }, "series"), el("th", { scope: "col" }, "value")),
        ),
        this.rows,
      ),
      this.more,
    );
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.area);
    this.repaint = () => {
      this.shape = "";
      this.set(this.times, this.lines);
    };
    DARK.addEventListener("change", this.repaint);
  }

  /** @param {number[]} times Unix seconds @param {Line[]} lines the first `MOST_LINES` are drawn */
  set(times, lines) {
    this.times = times;
    this.lines = lines;
    const drawn = lines.slice(0, MOST_LINES);
    this.more.hidden = lines.length <= MOST_LINES;
    this.more.textContent = `and ${lines.length - MOST_LINES} smaller ones`;
    const shape = drawn.map((line) => line.label).join("\n");
    // uPlot shows a whole day around a single moment, so that gets company.
    const alone = times.length === 1;
    const data = /** @type {uPlot.AlignedData} */ ([
      alone ? [times[0] - SHORTEST, times[0]] : times,
      ...drawn.map(({ values }) => (alone ? [null, ...values] : values)),
    ]);
    if (this.plot && shape === this.shape) this.plot.setData(data);
    else this.make(drawn, data, shape);
    this.values(null);
  }

  /** @param {Line[]} drawn @param {uPlot.AlignedData} data @param {string} shape */
  make(drawn, data, shape) {
    this.plot?.destroy();
    this.shape = shape;
    const colours = DARK.matches ? COLOURS.dark : COLOURS.light;
    this.rows.replaceChildren(
      ...drawn.map((line, at) => {
        const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
        swatch.style.background = colours[at];
        return el("tr", {}, el("th", { scope: "row" }, swatch, line.label), el("td", { class: "number" }));
      }),
    );
    this.plot = new uPlot(this.options(drawn, colours), data, this.area);
  }

  /** @param {Line[]} drawn @param {string[]} colours @returns {uPlot.Options} */
  options(drawn, colours) {
    const style = getComputedStyle(document.documentElement);
    const [dim, line] = [style.getPropertyValue("--dim"), style.getPropertyValue("--line")];
    const axis = { stroke: dim, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
    return {
      width: Math.max(120, this.area.clientWidth),
      height: this.height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
      scales: {
        x: { range: (_, low, high) => [Math.min(low, high - SHORTEST), high] },
        y: { range: (_, low, high) => range(low, high, this.tight) },
      },
      axes: [
        { ...axis, size: 28, values: (_, splits) => splits.map(clock) },
        { ...axis, size: 72, values: (_, splits) => splits.map((split) => (split === null ? "" : this.format(split))) },
      ],
      series: [
        {},
        ...drawn.map((_, at) => ({ stroke: colours[at], width: 1.5, points: { size: 4, show: isSparse } })),
      ],
      hooks: { setCursor: [(plot) => this.values(plot.cursor.idx ?? null)] },
    };
  }

  /** Write the values at that scrape into the table; the last ones for null. @param {number | null} at */
  values(at) {
    [...this.rows.children].forEach((row, index) => {
      const values = this.lines[index]?.values ?? [];
      const value = at === null || values.length === 1 ? values[values.length - 1] : values[at];
      const text = value === null || value === undefined ? "–" : this.format(value);
      const cell = row.lastElementChild;
      if (cell && cell.textContent !== text) cell.textContent = text;
    });
  }

  resize() {
    const width = Math.max(120, this.area.clientWidth);
    if (this.plot && Math.abs(this.plot.width - width) > 1) this.plot.setSize({ width, height: this.height });
  }

  /** Draw nothing any more. */
  close() {
    this.resized.disconnect();
    DARK.removeEventListener("change", this.repaint);
    this.plot?.destroy();
    this.plot = null;
  }
}

/** A line of a few values is hardly a line: its points are drawn. @param {uPlot} plot */
function isSparse(plot) {
  return plot.data[0].length <= 5;
}

/** The time of day. @param {number | null} time in Unix seconds */
function clock(time) {
  if (time === null) return "";
  const date = new Date(time * 1000);
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0"));
  return seconds === "00" ? `${hours}:${minutes}` : `${hours}:${minutes}:${seconds}`;
}

/**
 * From nought, or from below it; a flat line gets room around it.
 *
 * @param {number | null} low @param {number | null} high @param {boolean} tight @returns {[number, number]}
 */
function range(low, high, tight) {
  if (low === null || high === null) return [0, 1];
  if (tight && low > 0) return [Math.min(low, high * 0.95) * 0.99, high * 1.01];
  const bottom = Math.min(0, low);
  const top = high > bottom ? high : bottom + 1;
  return [bottom < 0 ? bottom * 1.1 : 0, top * 1.1];
}

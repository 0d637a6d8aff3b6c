// A tree drawn as an icicle (root on top) or a flame graph (root at the bottom), on a canvas.
//
// Only frames of half a pixel or more in rows that can be seen are drawn, so the size of the tree hardly matters.

import { el } from "./dom.js";
import { count, share } from "./format.js";
import { matcher } from "./tree.js";

/** @typedef {import("./tree.js").Tree} Tree */

const ROW = 20;
const THINNEST = 0.5;
const FONT = "12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";
const DARK = window.matchMedia("(prefers-color-scheme: dark)");
const HELP =
  "Arrow keys move from frame to frame, Enter zooms to the one that is marked, Escape zooms out, Home goes to the root. " +
  "A click zooms too.";

/** Frames of one row, left to right: positions and widths in pixels, and their nodes. */
class Row {
  constructor() {
    /** @type {number[]} */
    this.x = [];
    /** @type {number[]} */
    this.width = [];
    /** @type {number[]} */
    this.nodes = [];
  }
}

/** The drawing with its tools: search, direction, zoom.  `element` is the whole of it. */
export class Icicle {
  /**
   * @param {object} wish
   * @param {string} wish.label what is drawn
   * @param {(weight: number) => string} wish.format
   * @param {boolean} [wish.flame] root at the bottom
   * @param {(weight: number) => string} [wish.describe] how a weight is written where there is room
   */
  constructor({ label, format, flame = false, describe = format }) {
    this.format = format;
    this.describe = describe;
    this.flame = flame;
    /** @type {Tree | null} */
    this.tree = null;
    this.zoomed = 0;
    this.focused = 0;
    this.hovered = -1;
    /** @type {Uint8Array | null} */
    this.matched = null;
    /** @type {Row[]} */
    this.rows = [];
    this.queued = false;
    this.searching = el("input", { type: "search", placeholder: "text or /expression/", spellcheck: "false" });
    this.found = el("output", { class: "found", "aria-live": "polite" });
    this.direction = el("button", { type: "button", "aria-pressed": String(this.flame) }, "Root at the bottom");
    this.out = el("button", { type: "button", disabled: true }, "Zoom out");
    this.canvas = el("canvas", {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "flame graph",
      "aria-label": label,
      "aria-describedby": "graph-help",
    });
    this.spacer = el("div", { class: "spacer" });
    this.frame = el("div", { class: "graph" }, this.canvas, this.spacer);
    this.tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.told = el("p", { class: "told", role: "status" });
    this.element = el(
      "section",
      { class: "icicle", "aria-label": label },
      el("div", { class: "tools" }, el("label", {}, "Search ", this.searching), this.found, this.direction, this.out),
      this.told,
      this.frame,
      this.tip,
      el("p", { class: "dim", id: "graph-help" }, HELP),
    );
    this.listen();
  }

  listen() {
    this.searching.addEventListener("input", () => this.search(this.searching.value));
    this.direction.addEventListener("click", () => this.turn(!this.flame));
    this.out.addEventListener("click", () => this.zoomOut());
    this.canvas.addEventListener("keydown", (event) => this.pressed(event));
    this.canvas.addEventListener("focus", () => this.draw());
    this.canvas.addEventListener("blur", () => this.draw());
    this.canvas.addEventListener("pointermove", (event) => this.pointed(event));
    this.canvas.addEventListener("pointerleave", () => this.left());
    this.canvas.addEventListener("click", (event) => this.clicked(event));
    this.frame.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(this.frame);
    DARK.addEventListener("change", () => this.draw());
  }

  /** Draw another tree. What was zoomed to is kept where the same path is still there. @param {Tree} tree */
  show(tree) {
    const path = this.tree ? this.tree.pathTo(this.zoomed).map((node) => /** @type {Tree} */ (this.tree).text(node)) : [];
    this.tree = tree;
    this.zoomed = this.focused = follow(tree, path);
    this.hovered = -1;
    this.search(this.searching.value);
    this.layout();
    if (this.flame) this.frame.scrollTop = this.frame.scrollHeight;
  }

  /** @param {boolean} flame */
  turn(flame) {
    this.flame = flame;
    this.direction.setAttribute("aria-pressed", String(flame));
    this.draw();
    this.frame.scrollTop = flame ? this.frame.scrollHeight : 0;
  }

  /** Mark what matches, and tell its share. @param {string} wanted */
  search(wanted) {
    if (!this.tree) return;
    const { names, weight } = this.tree.search(matcher(wanted));
    this.matched = names;
    const total = this.tree.totals[0];
    this.found.textContent = names ? `matched: ${this.format(weight)}, ${share(weight, total) || "0 %"}` : "";
    this.draw();
  }

  /** @param {number} node */
  zoom(node) {
    this.zoomed = this.focused = node;
    this.out.disabled = node === 0;
    this.layout();
    this.reveal(node);
    this.tell(node);
  }

  zoomOut() {
    if (this.tree && this.zoomed !== 0) this.zoom(this.tree.parents[this.zoomed]);
  }

  /** Where every frame is that is wide enough. */
  layout() {
    const tree = this.tree;
    if (!tree) return;
    const width = this.frame.clientWidth;
    this.rows = [];
    const path = tree.pathTo(this.zoomed);
    path.forEach((node, depth) => this.place(depth, node, 0, width));
    const scale = tree.totals[this.zoomed] > 0 ? width / tree.totals[this.zoomed] : 0;
    const waiting = [this.zoomed];
    const places = [0];
    while (waiting.length) {
      const node = /** @type {number} */ (waiting.pop());
      const begin = /** @type {number} */ (places.pop());
      let x = begin;
      const depth = tree.depths[node] + 1;
      for (const child of tree.childrenOf(node)) {
        const wide = tree.totals[child] * scale;
        if (wide < THINNEST) {
          // The rest is no wider: together it is drawn as one frame that is nobody's.
          const below = (tree.totals[node] - tree.own[node]) * scale;
          if (begin + below - x >= THINNEST) this.place(depth, -1, x, begin + below - x);
          break;
        }
        this.place(depth, child, x, wide);
        waiting.push(child);
        places.push(x);
        x += wide;
      }
    }
    // What waits last is placed first: rows are sorted for finding.
    for (const row of this.rows) sortRow(row);
    const visible = Math.min(this.rows.length * ROW, Math.max(200, Math.round(window.innerHeight * 0.7)));
    this.frame.style.height = `${visible + 2}px`;
    this.spacer.style.height = `${this.rows.length * ROW - visible}px`;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(visible * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${visible}px`;
    this.paint();
  }

  /** @param {number} depth @param {number} node @param {number} x @param {number} width */
  place(depth, node, x, width) {
    const row = (this.rows[depth] ??= new Row());
    row.x.push(x);
    row.width.push(width);
    row.nodes.push(node);
  }

  /** Paint soon, however often this is called until then. */
  draw() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      this.paint();
    });
  }

  paint() {
    const tree = this.tree;
    const pen = this.canvas.getContext("2d");
    if (!tree || !pen) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.width / ratio, this.canvas.height / ratio];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = FONT;
    pen.textBaseline = "middle";
    const letter = pen.measureText("m").width;
    const look = lookOf(DARK.matches);
    const top = this.frame.scrollTop;
    const first = Math.max(0, Math.floor(top / ROW));
    const last = Math.min(this.rows.length - 1, Math.floor((top + height) / ROW));
    for (let line = first; line <= last; line++) {
      const depth = this.flame ? this.rows.length - 1 - line : line;
      this.paintRow(pen, tree, this.rows[depth], line * ROW - top, depth < tree.depths[this.zoomed], letter, look);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} pen @param {Tree} tree @param {Row} row @param {number} y
   * @param {boolean} above whether the row is an ancestor of what is zoomed to @param {number} letter @param {Look} look
   */
  paintRow(pen, tree, row, y, above, letter, look) {
    for (let at = 0; at < row.nodes.length; at++) {
      const [node, x, width] = [row.nodes[at], row.x[at], row.width[at]];
      if (node < 0) {
        pen.fillStyle = look.crowd;
        pen.fillRect(x, y, Math.max(width - 1, THINNEST), ROW - 1);
        continue;
      }
      const name = tree.names[node];
      const hit = this.matched ? this.matched[name] === 1 : null;
      pen.fillStyle = hit === null ? look.fill(tree.text(node), node === 0) : hit ? look.hit : look.miss;
      pen.globalAlpha = above ? 0.6 : 1;
      pen.fillRect(x, y, Math.max(width - 1, THINNEST), ROW - 1);
      pen.globalAlpha = 1;
      if (node === this.focused && document.activeElement === this.canvas) mark(pen, x, y, width, look.focus, 3);
      else if (node === this.hovered) mark(pen, x, y, width, look.ink, 1);
      const letters = Math.floor((width - 8) / letter);
      if (letters >= 3) {
        const text = tree.text(node);
        pen.fillStyle = hit ? look.onHit : look.ink;
        pen.fillText(text.length > letters ? `${text.slice(0, letters - 1)}…` : text, x + 4, y + ROW / 2);
      }
    }
  }

  /** @param {MouseEvent} event @returns {number} the node there, or -1 */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const line = Math.floor((event.clientY - box.top + this.frame.scrollTop) / ROW);
    const row = this.rows[this.flame ? this.rows.length - 1 - line : line];
    if (!row) return -1;
    const x = event.clientX - box.left;
    let [low, high] = [0, row.x.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (row.x[middle] <= x) low = middle;
      else high = middle - 1;
    }
    return x >= row.x[low] && x < row.x[low] + row.width[low] ? row.nodes[low] : -1;
  }

  /** @param {PointerEvent} event */
  pointed(event) {
    const node = this.at(event);
    if (node !== this.hovered) {
      this.hovered = node;
      this.canvas.classList.toggle("over", node >= 0);
      this.draw();
    }
    this.tip.hidden = node < 0;
    if (node < 0) return;
    this.tip.textContent = this.textOf(node);
    const wide = document.documentElement.clientWidth;
    this.tip.style.left = `${Math.max(8, Math.min(event.clientX + 12, wide - this.tip.offsetWidth - 8))}px`;
    const below = event.clientY + 18;
    const fits = below + this.tip.offsetHeight < window.innerHeight;
    this.tip.style.top = `${fits ? below : event.clientY - this.tip.offsetHeight - 10}px`;
  }

  left() {
    this.hovered = -1;
    this.tip.hidden = true;
    this.draw();
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const node = this.at(event);
    if (node >= 0) this.zoom(node);
  }

  /** What a frame is, in words. @param {number} node */
  textOf(node) {
    const tree = /** @type {Tree} */ (this.tree);
    const [weight, own] = [tree.totals[node], tree.own[node]];
    const lines = [tree.text(node), `${this.describe(weight)}, ${share(weight, tree.totals[0])} of all`];
    if (this.zoomed !== 0) lines.push(`${share(weight, tree.totals[this.zoomed])} of what is zoomed to`);
    if (own > 0 && own !== weight) lines.push(`its own: ${this.describe(own)}, ${share(own, tree.totals[0])}`);
    return lines.join("\n");
  }

  /** @param {number} node */
  tell(node) {
    this.told.textContent = this.textOf(node).replaceAll("\n", " · ");
  }

  /** Scroll so that the row of a node is seen. @param {number} node */
  reveal(node) {
    const depth = /** @type {Tree} */ (this.tree).depths[node];
    const y = (this.flame ? this.rows.length - 1 - depth : depth) * ROW;
    const height = this.frame.clientHeight;
    if (y < this.frame.scrollTop) this.frame.scrollTop = y;
    else if (y + ROW > this.frame.scrollTop + height) this.frame.scrollTop = y + ROW - height;
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const node = this.tree && !event.ctrlKey && !event.metaKey && !event.altKey ? this.neighbour(event.key) : null;
    if (node !== null) {
      this.focused = node;
      this.reveal(node);
      this.tell(node);
      this.draw();
    } else if (event.key === "Enter" || event.key === " ") this.zoom(this.focused);
    else if (event.key === "Escape" || event.key === "Backspace") this.zoomOut();
    else if (event.key === "/") this.searching.focus();
    else return;
    event.preventDefault();
  }

  /** The frame in the direction of a key; null for another key. @param {string} key @returns {number | null} */
  neighbour(key) {
    const tree = /** @type {Tree} */ (this.tree);
    const [outwards, inwards] = this.flame ? ["ArrowDown", "ArrowUp"] : ["ArrowUp", "ArrowDown"];
    if (key === "Home") return 0;
    if (key === outwards) return Math.max(0, tree.parents[this.focused]);
    if (key === inwards) return tree.childrenOf(this.focused)[0] ?? this.focused;
    if (key !== "ArrowLeft" && key !== "ArrowRight") return null;
    const row = this.rows[tree.depths[this.focused]];
    const at = row ? row.nodes.indexOf(this.focused) : -1;
    const next = at < 0 ? -1 : (row.nodes[at + (key === "ArrowRight" ? 1 : -1)] ?? -1);
    return next < 0 ? this.focused : next;
  }
}

/** The node at the end of a path of names, as far as it is there. @param {Tree} tree @param {string[]} path */
function follow(tree, path) {
  let node = 0;
  for (const name of path.slice(1)) {
    const next = tree.childrenOf(node).find((child) => tree.text(child) === name);
    if (next === undefined) break;
    node = next;
  }
  return node;
}

/** @param {Row} row */
function sortRow(row) {
  if (row.x.every((x, at) => at === 0 || row.x[at - 1] <= x)) return;
  const order = row.x.map((_, at) => at).sort((a, b) => row.x[a] - row.x[b]);
  [row.x, row.width, row.nodes] = [row.x, row.width, row.nodes].map((list) => order.map((at) => list[at]));
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} width @param {string} colour @param {number} line */
function mark(pen, x, y, width, colour, line) {
  pen.strokeStyle = colour;
  pen.lineWidth = line;
  const inset = line / 2;
  pen.strokeRect(x + inset, y + inset, Math.max(1, width - 1 - line), ROW - 1 - line);
}

/** @typedef {{ ink: string, hit: string, onHit: string, miss: string, crowd: string, focus: string, fill: (text: string, root: boolean) => string }} Look */

/** @type {Map<string, string>} */
const fills = new Map();

/** The colours; frames of one file have one hue. @param {boolean} dark @returns {Look} */
function lookOf(dark) {
  return {
    ink: dark ? "#f1f3f6" : "#10151d",
    hit: dark ? "#f2c14e" : "#d9480f",
    onHit: dark ? "#10151d" : "#ffffff",
    miss: dark ? "#2a3039" : "#e4e6ea",
    crowd: dark ? "#20252d" : "#eef0f3",
    focus: dark ? "#ffffff" : "#0b3d91",
    fill: (text, root) => {
      if (root) return dark ? "#3a4250" : "#cfd5de";
      const key = `${dark}${text}`;
      let fill = fills.get(key);
      if (fill === undefined) fills.set(key, (fill = colour(text, dark)));
      return fill;
    },
  };
}

/** @param {string} text @param {boolean} dark */
function colour(text, dark) {
  const place = /\(([^()]*?)(?::\d+)?\)$/.exec(text);
  let hash = 7;
  for (const letter of place ? place[1] : text) hash = (hash * 31 + /** @type {number} */ (letter.codePointAt(0))) >>> 0;
  const hue = (hash * 137) % 360;
  return dark ? `hsl(${hue} 30% ${29 + (hash % 3) * 3}%)` : `hsl(${hue} 58% ${79 + (hash % 3) * 3}%)`;
}

/** A whole number of something that has no unit. @param {number} weight */
export function plain(weight) {
  return count(weight);
}

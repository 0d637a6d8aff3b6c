// Reading again and again, without becoming a burden: a page must not be what the process is busy with.

import { el } from "./dom.js";

/** At most this part of the time is spent in reads, however short the interval is. */
const PART = 1 / 10;

/** Seconds until the next read, after one that took `took`; the wish counts unless reads are slow. @param {number} wish @param {number} took */
export function pause(wish, took) {
  return Math.max(wish, took / PART - took);
}

/**
 * Calls `work` now, and then every so many seconds as the select in `controls` says; never twice at once, and not while
 * the page is hidden.  `work` is told whether a person asked for this read.  What it throws goes to `failed`, null after
 * a read that went well.
 */
export class Refresh {
  /**
   * @param {(asked: boolean) => Promise<void>} work
   * @param {(problem: unknown) => void} failed
   * @param {number} every seconds, 0 for only when asked
   */
  constructor(work, failed, every) {
    this.work = work;
    this.failed = failed;
    this.every = every;
    this.running = false;
    this.again = false;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.state = el("span", { class: "dim", "aria-live": "off" });
    const options = [
      ["0", "only when asked"],
      ["2", "every 2 s"],
      ["5", "every 5 s"],
      ["10", "every 10 s"],
      ["60", "every minute"],
    ];
    const select = el(
      "select",
      { change: () => this.set(Number(select.value)) },
      ...options.map(([value, label]) => el("option", { value, selected: Number(value) === every }, label)),
    );
    this.controls = el(
      "div",
      { class: "refresh" },
      el("label", {}, "Read ", select),
      el("button", { type: "button", click: () => this.now() }, "Read now"),
      this.state,
    );
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.every > 0) this.now(false);
    });
  }

  /** Read now; once more if a read is under way, as what is wanted may have changed. @param {boolean} [asked] */
  async now(asked = true) {
    clearTimeout(this.timer);
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    const began = performance.now();
    try {
      do {
        this.again = false;
        await this.work(asked);
      } while (this.again);
      this.failed(null);
    } catch (problem) {
      this.failed(problem);
    } finally {
      this.running = false;
      const took = (performance.now() - began) / 1000;
      this.state.textContent = `read at ${new Date().toLocaleTimeString()}, took ${took.toFixed(2)} s`;
      this.later(pause(this.every, took));
    }
  }

  /** @param {number} every */
  set(every) {
    this.every = every;
    this.now();
  }

  /** @param {number} seconds */
  later(seconds) {
    clearTimeout(this.timer);
    if (this.every === 0) return;
    this.timer = setTimeout(() => (document.hidden ? undefined : this.now(false)), seconds * 1000);
  }
}

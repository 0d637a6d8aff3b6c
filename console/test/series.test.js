import assert from "node:assert/strict";
import { test } from "node:test";

import { parseExposition } from "../src/exposition.js";
import { History, KEPT, last, linesOf, quantileOf, rates, viewsOf } from "../src/series.js";

/** @param {...string} scrapes ten seconds apart */
function scraped(...scrapes) {
  const history = new History();
  scrapes.forEach((text, at) => history.push(1000 + at * 10, parseExposition(text)));
  return history;
}

test("the rate of a counter, over a reset and a gap", () => {
  assert.deepEqual(rates([0, 10, 20, 30, 40], [5, 25, 5, null, 7]), [null, 2, 0.5, null, null]);
  assert.deepEqual(rates([0, 0], [1, 2]), [null, null]);
});

test("series that come and go have gaps", () => {
  const history = scraped('# TYPE g gauge\ng{a="1"} 1\n', '# TYPE g gauge\ng{a="2"} 5\n', '# TYPE g gauge\ng{a="1"} 2\ng{a="2"} NaN\n');
  const family = history.families.get("g");
  assert.ok(family);
  assert.deepEqual(linesOf(history.times, family, "value"), [
    { label: 'a="2"', values: [null, 5, null] },
    { label: 'a="1"', values: [1, null, 2] },
  ]);
});

test("a histogram as rates and as quantiles of what was observed meanwhile", () => {
  const buckets = (/** @type {number[]} */ ...counts) =>
    ["0.1", "1", "+Inf"].map((le, at) => `h_bucket{le="${le}"} ${counts[at]}`).join("\n") + `\nh_count ${counts[2]}\nh_sum 1\n`;
  const history = scraped(`# TYPE h histogram\n${buckets(100, 100, 100)}`, `# TYPE h histogram\n${buckets(100, 120, 120)}`);
  const family = history.families.get("h");
  assert.ok(family);
  assert.deepEqual(linesOf(history.times, family, "rate"), [{ label: "h_count", values: [null, 2] }]);
  const lines = linesOf(history.times, family, "quantiles");
  assert.deepEqual(lines.map(({ label }) => label), ["p99", "p90", "p50"]);
  assert.deepEqual(lines[2].values, [null, 0.1 + 0.9 * 0.5]);
});

test("quantiles at the edges", () => {
  assert.equal(quantileOf(0.5, [1, Infinity], [0, 0]), null);
  assert.equal(quantileOf(0.99, [1, 2, Infinity], [1, 1, 10]), 2);
  assert.equal(quantileOf(0.5, [1, 2, Infinity], [10, 10, 10]), 0.5);
  assert.equal(quantileOf(0.5, [Infinity], [4]), null);
});

test("a summary shows its quantiles, not its sum and count", () => {
  const history = scraped('# TYPE s summary\ns{quantile="0.5"} 3\ns_sum 9\ns_count 4\n');
  const family = history.families.get("s");
  assert.ok(family);
  assert.deepEqual(linesOf(history.times, family, "value"), [{ label: 'quantile="0.5"', values: [3] }]);
});

test("what was created is not drawn, and old scrapes are forgotten", () => {
  const history = scraped("# TYPE c counter\nc_total 1\nc_created 5\n");
  assert.equal(history.families.get("c")?.series.size, 1);
  for (let at = 0; at < KEPT; at++) history.push(2000 + at, parseExposition("# TYPE g gauge\ng 1\n"));
  assert.equal(history.times.length, KEPT);
  assert.equal(history.families.has("c"), false);
  assert.equal([...(history.families.get("g")?.series.values() ?? [])][0].values.length, KEPT);
});

test("views", () => {
  assert.deepEqual(viewsOf("counter"), ["rate", "value"]);
  assert.deepEqual(viewsOf("unknown"), ["value"]);
  assert.equal(last([1, null, 2, null]), 2);
  assert.equal(last([null]), null);
});

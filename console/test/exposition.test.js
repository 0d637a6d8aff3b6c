import assert from "node:assert/strict";
import { test } from "node:test";

import { labelText, parseExposition, readSample } from "../src/exposition.js";

test("families with their samples", () => {
  const families = parseExposition(`# HELP jobs_total Jobs, by \\\\ state.\\nAll of them.
# TYPE jobs_total counter
jobs_total{state="done"} 3
jobs_total{state="failed",} 1.5e+01 1700000000000
# TYPE idle gauge
# a comment

# TYPE seconds histogram
seconds_bucket{le="0.5"} 1
seconds_bucket{le="+Inf"} 2
seconds_sum 1.25
seconds_count 2
lonely 7
`);
  assert.deepEqual(families.map(({ name, type, samples }) => [name, type, samples.length]), [
    ["jobs_total", "counter", 2],
    ["idle", "gauge", 0],
    ["seconds", "histogram", 4],
    ["lonely", "untyped", 1],
  ]);
  assert.equal(families[0].help, "Jobs, by \\ state.\nAll of them.");
  assert.deepEqual(families[0].samples[1], { name: "jobs_total", labels: [["state", "failed"]], value: 15 });
});

test("labels with whatever a value may hold", () => {
  const sample = readSample('m{a="x\\"y",b="}",c="\\\\n\\n, =",d=""} 1');
  assert.deepEqual(sample?.labels, [
    ["a", 'x"y'],
    ["b", "}"],
    ["c", "\\n\n, ="],
    ["d", ""],
  ]);
  assert.deepEqual(readSample("m{} 1")?.labels, []);
  assert.deepEqual(readSample('m { a = "b" , c="d" } 1')?.labels, [["a", "b"], ["c", "d"]]);
});

test("numbers as Go writes them", () => {
  for (const [text, value] of [["1", 1], ["-0.5", -0.5], ["1e-07", 1e-7], ["+Inf", Infinity], ["-Inf", -Infinity], [".5", 0.5]]) {
    assert.equal(readSample(`m ${text}`)?.value, value);
  }
  assert.ok(Number.isNaN(readSample("m NaN")?.value));
});

test("a line that is no sample is left out, the others stay", () => {
  for (const line of ["m", "m{", 'm{a="b" 1', 'm{a=b} 1', "m x", "m 1 2 3", "m 0x10", "1m 1", 'm{a="b"c="d"} 1', "m 1_000"]) {
    assert.equal(readSample(line), null, line);
  }
  assert.equal(parseExposition("bad{\ngood 1\n").length, 1);
});

test("a counter that is declared without _total, and a gauge that looks like a count", () => {
  const families = parseExposition("# TYPE jobs counter\njobs_total 1\n# TYPE x gauge\nx 1\nx_count 2\n");
  assert.deepEqual(families.map(({ name, samples }) => [name, samples.length]), [["jobs", 1], ["x", 1], ["x_count", 1]]);
});

test("labels as text", () => {
  assert.equal(labelText([["a", "b"], ["le", "1"]], "le"), 'a="b"');
});

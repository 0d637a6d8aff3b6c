import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, bytes, change, count, number, seconds, share, unitOf } from "../src/format.js";
import { pause } from "../src/refresh.js";
import { objects, read } from "../src/sql.js";

test("bytes as the server writes them", () => {
  for (const [value, text] of [[0, "0 B"], [999, "999 B"], [1000, "1.0 kB"], [12_345_678, "12.3 MB"], [999_950, "1.0 MB"], [-2500, "-2.5 kB"], [2e15, "2.0 PB"]]) {
    assert.equal(bytes(Number(value)), text);
  }
});

test("seconds", () => {
  for (const [value, text] of [[0, "0 s"], [0.0123, "12.3 ms"], [0.00001, "10 µs"], [5e-10, "0.5 ns"], [59, "59 s"], [150, "2.5 min"], [7300, "2.03 h"], [864000, "10 d"]]) {
    assert.equal(seconds(Number(value)), text);
  }
});

test("other numbers", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(number(0.5), "0.5");
  assert.equal(number(1234.567), "1,235");
  assert.equal(number(12_345_678), "12.3M");
  assert.equal(number(NaN), "NaN");
  assert.equal(share(1, 3), "33.3 %");
  assert.equal(share(1, 1e6), "< 0.1 %");
  assert.equal(share(0, 0), "");
  assert.equal(change(0, bytes), "±0");
  assert.equal(change(-1500, bytes), "−1.5 kB");
  assert.equal(change(1500, bytes), "+1.5 kB");
  assert.equal(ago(0), "never");
});

test("the unit is in the name", () => {
  assert.equal(unitOf("a_bytes_total"), bytes);
  assert.equal(unitOf("a_seconds"), seconds);
  assert.equal(unitOf("process_start_time_seconds"), ago);
  assert.equal(unitOf("jobs_total"), number);
});

test("reads take at most a tenth of the time", () => {
  assert.equal(pause(5, 0.1), 5);
  assert.equal(pause(5, 2), 18);
});

test("rows of SQL as objects", () => {
  const columns = [
    { name: "n", type_oid: 20 },
    { name: "text", type_oid: 25 },
    { name: "flag", type_oid: 16 },
  ];
  const result = read({ tag: "SELECT 1", rows: [["12", "12", true], [null, null, null]], desc: { columns } });
  assert.ok("rows" in result);
  assert.deepEqual(objects(result), [
    { n: 12, text: "12", flag: true },
    { n: null, text: null, flag: null },
  ]);
  assert.deepEqual(read({ ok: "SET", notices: [] }), { tag: "SET", columns: [], rows: [] });
});

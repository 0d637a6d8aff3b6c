import assert from "node:assert/strict";
import { test } from "node:test";

import { parseMzfg } from "../src/mzfg.js";

const HEADER = "mz_fg_version: 1\n";

/** @param {string} stacks @param {string} [symbols] @param {string} [header] */
const text = (stacks, symbols = "", header = HEADER) => `${header}\n${stacks}\n${symbols}`;

/** A tree as nested lists: name, total, children by size. @param {import("../src/tree.js").Tree} tree @returns {any} */
function shape(tree, node = 0) {
  return [tree.text(node), tree.totals[node], ...Array.from(tree.childrenOf(node), (child) => shape(tree, child))];
}

test("stacks are merged from the root on", () => {
  const { tree, stacks, annotated } = parseMzfg(text("0x1;0x2; 3\n0x1;0x3; 5\n0x1; 1\n", "0x1 main;\n0x2 a;\n0x3 b;\n"));
  assert.deepEqual(shape(tree), ["all", 9, ["main", 9, ["b", 5], ["a", 3]]]);
  assert.equal(tree.own[tree.childrenOf(0)[0]], 1);
  assert.equal(stacks, 3);
  assert.equal(annotated, false);
});

test("one address that begins like another is another", () => {
  const { tree } = parseMzfg(text("0x1;0x2; 2\n0x10;0x2; 1\n0x1;0x20; 1\n"));
  assert.deepEqual(shape(tree), ["all", 4, ["0x1", 3, ["0x2", 2], ["0x20", 1]], ["0x10", 1, ["0x2", 1]]]);
});

test("annotations are the first level, and what has none is unknown", () => {
  const { tree, annotated } = parseMzfg(text("0x1; 1 MainThread\n0x1;0x2; 4 a b; c\n0x1; 2\n", "0x1 main;\n0x2 f;\n"));
  assert.equal(annotated, true);
  assert.deepEqual(shape(tree), [
    "all",
    7,
    ["a b; c", 4, ["main", 4, ["f", 4]]],
    ["unknown", 2, ["main", 2]],
    ["MainThread", 1, ["main", 1]],
  ]);
});

test("several names at one address are several frames, outer first", () => {
  const { tree } = parseMzfg(text("0x1;0x2; 1\n0x1; 1\n", "0x1 outer;inner;\n0x2 leaf;\n"));
  assert.deepEqual(shape(tree), ["all", 2, ["outer", 2, ["inner", 2, ["leaf", 1]]]]);
});

test("addresses with one name are one frame", () => {
  const { tree } = parseMzfg(text("0x1;0x3; 1\n0x2;0x4; 2\n", "0x1 main;\n0x2 main;\n0x3 f;\n0x4 f;\n"));
  assert.deepEqual(shape(tree), ["all", 3, ["main", 3, ["f", 3]]]);
});

test("escapes in names, and every spelling of an address", () => {
  const { tree } = parseMzfg(text("0xABCDEF0123456789; 2\n0x00ab; 1\n0XAB; 2\n0x0; 1\n", "0xabcdef0123456789 a\\;b\\\\c;\n0xAB x;\n"));
  assert.deepEqual(shape(tree), ["all", 6, ["x", 3], ["a;b\\c", 2], ["0x0", 1]]);
});

test("weights may have fractions, stacks may be empty, the same stack may come twice", () => {
  const { tree } = parseMzfg(text(" 0.5\n0x1; 0.25\n0x1; 0.25\n"));
  assert.deepEqual(shape(tree), ["all", 1, ["0x1", 0.5]]);
});

test("header lines, upstream's comment included, and line ends of Windows", () => {
  const header = "!!! COMMENT !!!: Open with a viewer: this one\r\nmz_fg_version: 1\r\ndisplay_bytes: 1\r\nAllocated: 1 MB\r\n";
  const { header: found, tree } = parseMzfg(text("0x1; 1\r\n", "0x1 f;\r\n", header).replaceAll("\n\n", "\n\r\n").replace("\r\n\n", "\r\n\r\n"));
  assert.deepEqual([...found], [
    ["!!! COMMENT !!!", "Open with a viewer: this one"],
    ["mz_fg_version", "1"],
    ["display_bytes", "1"],
    ["Allocated", "1 MB"],
  ]);
  assert.equal(tree.totals[0], 1);
});

test("no stacks at all", () => {
  const { tree, stacks } = parseMzfg(text("", ""));
  assert.deepEqual([tree.size, tree.totals[0], stacks], [1, 0, 0]);
});

for (const [name, wrong, said] of [
  ["another file", "hello", /line 1: a header line/],
  ["no version", "a: b\n\n\n\n", /not an MZFG file/],
  ["another version", "mz_fg_version: 2\n\n\n\n", /version 2/],
  ["a stack without weight", text("0x1;\n"), /line 3: a stack/],
  ["a negative weight", text("0x1; -1\n"), /line 3: a stack/],
  ["a name as an address", text("main; 1\n"), /line 3: a stack/],
  ["a symbol without end", text("0x1; 1\n", "0x1 main\n"), /line 5: a name ends/],
  ["a symbol without address", text("0x1; 1\n", "main;\n"), /line 5: a symbol/],
]) {
  test(`refused: ${name}`, () => assert.throws(() => parseMzfg(String(wrong)), said));
}

test("names of the language itself are names", () => {
  const { tree } = parseMzfg(text("0x1;0x2; 1\n", "0x1 __proto__;\n0x2 constructor;\n"));
  assert.deepEqual(shape(tree), ["all", 1, ["__proto__", 1, ["constructor", 1]]]);
});

test("the tree is the same in whatever order the stacks come", () => {
  const stacks = ["0x1;0x2;0x3; 7", "0x1;0x2; 1 t", "0x1;0x2;0x3;0x1; 2", "0x4; 9 t", "0x1;0x5; 3"];
  const symbols = "0x1 a;\n0x2 b;\n0x3 a;c;\n0x4 a;\n0x5 b;\n";
  const first = shape(parseMzfg(text(`${stacks.join("\n")}\n`, symbols)).tree);
  assert.deepEqual(shape(parseMzfg(text(`${stacks.toReversed().join("\n")}\n`, symbols)).tree), first);
  assert.equal(first[1], 22);
});

test("a name may hold a line separator of Unicode", () => {
  const { tree } = parseMzfg(text("0x1; 1 a\u2028b\n", "0x1 x\u2029y;\n"));
  assert.deepEqual(shape(tree), ["all", 1, ["a\u2028b", 1, ["x\u2029y", 1]]]);
});

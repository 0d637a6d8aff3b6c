import assert from "node:assert/strict";
import { test } from "node:test";

import { matcher, TreeBuilder } from "../src/tree.js";

function sample() {
  const builder = new TreeBuilder("root");
  builder.add(["a", "b"], 4);
  builder.add(["a", "c"], 1);
  builder.add(["d"], 10);
  builder.add(["a", "b", "a"], 2);
  builder.add(["a", "b"], 1);
  return builder.finish();
}

test("totals, own weights, depths and order", () => {
  const tree = sample();
  assert.equal(tree.totals[0], 18);
  assert.deepEqual(Array.from(tree.childrenOf(0), (node) => tree.text(node)), ["d", "a"]);
  const [, a] = tree.childrenOf(0);
  assert.deepEqual([tree.totals[a], tree.own[a], tree.depths[a]], [8, 0, 1]);
  const [b] = tree.childrenOf(a);
  assert.deepEqual([tree.text(b), tree.totals[b], tree.own[b]], ["b", 7, 5]);
  assert.equal(tree.deepest, 3);
  assert.deepEqual(tree.pathTo(b).map((node) => tree.text(node)), ["root", "a", "b"]);
});

test("a match counts once in each stack", () => {
  const tree = sample();
  assert.equal(tree.search(matcher("a")).weight, 8);
  assert.equal(tree.search(matcher("b")).weight, 7);
  assert.equal(tree.search(matcher("/^[bd]$/")).weight, 17);
  assert.equal(tree.search(matcher("root")).weight, 0);
  assert.equal(tree.search(matcher("")).names, null);
});

test("by name: recursion counts once", () => {
  assert.deepEqual(sample().byName(10), [
    { name: "d", own: 10, total: 10 },
    { name: "b", own: 5, total: 7 },
    { name: "a", own: 2, total: 8 },
    { name: "c", own: 1, total: 1 },
  ]);
  assert.equal(sample().byName(2).length, 2);
});

test("an empty tree", () => {
  const tree = new TreeBuilder("root").finish();
  assert.deepEqual([tree.size, tree.totals[0], tree.childrenOf(0).length, tree.byName(5)], [1, 0, 0, []]);
});

test("a chain of a hundred thousand needs no stack", () => {
  const builder = new TreeBuilder("root");
  let node = 0;
  for (let at = 0; at < 100_000; at++) node = builder.child(node, builder.name(`f${at % 3}`));
  builder.own[node] = 1;
  const tree = builder.finish();
  assert.equal(tree.deepest, 100_000);
  assert.equal(tree.byName(3)[0].total, 1);
});

test("what is searched for", () => {
  assert.equal(matcher("  "), null);
  assert.equal(matcher("AbC")?.("xxabcxx"), true);
  assert.equal(matcher("a.c")?.("abc"), false);
  assert.equal(matcher("/a.c/")?.("ABC"), true);
  assert.equal(matcher("/a(/")?.("/a(/"), true);
  assert.equal(matcher("/")?.("a/b"), true);
});

// MZFG, the flame graph text: header lines, stacks of addresses (root first), names of the addresses.
//
//     mz_fg_version: 1
//     display_bytes: 1
//
//     0x1;0x2; 4096 MainThread
//
//     0x1 main (app.py:3);
//
// With an annotation on any stack, the stacks are grouped by annotation first.

import { TreeBuilder } from "./tree.js";

/** @typedef {{ header: Map<string, string>, tree: import("./tree.js").Tree, stacks: number, annotated: boolean }} FlameGraph */

const STACK = /^((?:0x[0-9a-f]{1,16};)*) (\d+(?:\.\d+)?)(?: (.*))?$/i;
const SYMBOL = /^(0x[0-9a-f]{1,16}) (.*)$/i;

/**
 * Parse a whole text.  Throws an Error with the number of the first line that is wrong.
 *
 * @param {string} text
 * @returns {FlameGraph}
 */
export function parseMzfg(text) {
  const lines = text.split(/\r?\n/);
  let at = 0;
  /** @type {Map<string, string>} */
  const header = new Map();
  for (; at < lines.length && lines[at] !== ""; at++) {
    const colon = lines[at].indexOf(":");
    if (colon < 0) throw new Error(`line ${at + 1}: a header line is \`key: value\``);
    header.set(lines[at].slice(0, colon), lines[at].slice(colon + 1).trim());
  }
  const version = header.get("mz_fg_version");
  if (version !== "1") throw new Error(version === undefined ? "not an MZFG file" : `MZFG version ${version} is not known`);
  const stacks = [];
  const first = ++at;
  for (; at < lines.length && lines[at] !== ""; at++) stacks.push(readStack(lines[at], at + 1));
  const count = at - first;
  /** @type {Map<string, string[]>} */
  const symbols = new Map();
  for (at++; at < lines.length && lines[at] !== ""; at++) {
    const found = SYMBOL.exec(lines[at]);
    if (!found) throw new Error(`line ${at + 1}: a symbol is \`0x… name;\``);
    symbols.set(canonical(found[1]), readNames(found[2], at + 1));
  }
  const annotated = stacks.some((stack) => stack.annotation !== undefined);
  return { header, tree: grow(stacks, symbols, annotated), stacks: count, annotated };
}

/** @typedef {{ addresses: string, weight: number, annotation: string | undefined }} Stack */

/** @param {string} line @param {number} number @returns {Stack} */
function readStack(line, number) {
  const found = STACK.exec(line);
  if (!found) throw new Error(`line ${number}: a stack is \`0x…;0x…; weight annotation\``);
  return { addresses: found[1], weight: Number(found[2]), annotation: found[3] };
}

/** Names, each ended by `;`, in which `\` escapes `;` and itself. @param {string} text @param {number} line @returns {string[]} */
function readNames(text, line) {
  const names = [];
  let name = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\" && at + 1 < text.length) name += text[++at];
    else if (text[at] === ";") {
      names.push(name);
      name = "";
    } else name += text[at];
  }
  if (name !== "" || names.length === 0) throw new Error(`line ${line}: a name ends with \`;\``);
  return names;
}

/** One spelling of each address. @param {string} address */
function canonical(address) {
  return `0x${address.slice(2).toLowerCase().replace(/^0+(?=.)/, "")}`;
}

/**
 * The tree of all stacks.  They are sorted first, so that each has the longest beginning in common with the one before
 * it, and only the rest has to be looked up.
 *
 * @param {Stack[]} stacks
 * @param {Map<string, string[]>} symbols
 * @param {boolean} annotated
 */
function grow(stacks, symbols, annotated) {
  const builder = new TreeBuilder("all");
  /** @type {Map<string, number[]>} */
  const named = new Map();
  /** The numbers of the names at an address, outer first. @param {string} address */
  const namesAt = (address) => {
    let numbers = named.get(address);
    if (numbers === undefined) {
      const key = canonical(address);
      numbers = (symbols.get(key) ?? [key]).map((name) => builder.name(name));
      named.set(address, numbers);
    }
    return numbers;
  };
  stacks.sort((a, b) => (a.addresses < b.addresses ? -1 : a.addresses > b.addresses ? 1 : 0));
  /** @type {Map<string | undefined, Trail>} */
  const trails = new Map();
  for (const { addresses, weight, annotation } of stacks) {
    let trail = trails.get(annotation);
    if (trail === undefined) {
      const root = annotated ? builder.child(0, builder.name(annotation ?? "unknown")) : 0;
      trail = { addresses: "", ends: [0], nodes: [root] };
      trails.set(annotation, trail);
    }
    follow(trail, addresses, (parent, address) => {
      for (const name of namesAt(address)) parent = builder.child(parent, name);
      return parent;
    });
    builder.own[trail.nodes[trail.nodes.length - 1]] += weight;
  }
  return builder.finish();
}

/** The last stack: where each of its addresses ends in the text, and the node there; both begin before the first. */
/** @typedef {{ addresses: string, ends: number[], nodes: number[] }} Trail */

/** Move a trail to another stack. @param {Trail} trail @param {string} addresses @param {(parent: number, address: string) => number} enter */
function follow(trail, addresses, enter) {
  const { ends, nodes } = trail;
  const before = trail.addresses;
  const most = Math.min(before.length, addresses.length);
  let same = 0;
  while (same < most && before.charCodeAt(same) === addresses.charCodeAt(same)) same += 1;
  while (ends[ends.length - 1] > same) {
    ends.pop();
    nodes.pop();
  }
  let at = ends[ends.length - 1];
  while (at < addresses.length) {
    const end = addresses.indexOf(";", at);
    nodes.push(enter(nodes[nodes.length - 1], addresses.slice(at, end)));
    at = end + 1;
    ends.push(at);
  }
  trail.addresses = addresses;
}

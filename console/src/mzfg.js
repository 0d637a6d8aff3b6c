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

const STACK = /^((?:0x[0-9a-f]{1,16};)*) (\d+(?:\.\d+)?)(?: (.*))?$/is;
const SYMBOL = /^(0x[0-9a-f]{1,16}) (.*)$/is;
const UNUSUAL = /0x0[0-9a-f]|[A-FX]/;

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
  const first = ++at;
  while (at < lines.length && lines[at] !== "") at += 1;
  const stacks = lines.slice(first, at).map((line, index) => readStack(line, first + index + 1));
  /** @type {Map<string, string[]>} */
  const symbols = new Map();
  for (at++; at < lines.length && lines[at] !== ""; at++) {
    const found = SYMBOL.exec(lines[at]);
    if (!found) throw new Error(`line ${at + 1}: a symbol is \`0x… name;\``);
    symbols.set(canonical(found[1]), readNames(found[2], at + 1));
  }
  const annotated = stacks.some((stack) => stack.annotation !== undefined);
  return { header, tree: new Grower(symbols).grow(stacks, annotated), stacks: stacks.length, annotated };
}

/** @typedef {{ addresses: string, weight: number, annotation: string | undefined }} Stack */

/** @param {string} line @param {number} number @returns {Stack} */
function readStack(line, number) {
  const found = STACK.exec(line);
  if (!found) throw new Error(`line ${number}: a stack is \`0x…;0x…; weight annotation\``);
  return { addresses: canonical(found[1]), weight: Number(found[2]), annotation: found[3] };
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

/** One spelling of each address in a text of addresses: small letters, no zeros in front. @param {string} addresses */
function canonical(addresses) {
  return UNUSUAL.test(addresses) ? addresses.toLowerCase().replaceAll(/0x0+(?=[0-9a-f])/g, "0x") : addresses;
}

/**
 * Where the last stack of an annotation went: where each of its addresses ends in the text, and the node there.  Both
 * begin with the place before the first address.
 *
 * @typedef {{ addresses: string, ends: number[], nodes: number[] }} Trail
 */

/**
 * Makes the tree of all stacks.  They are sorted first: then each has the longest beginning in common with the one
 * before it, and the rest is new.  So only names that several addresses have, or that share an address with others,
 * need to be looked up: their nodes may be there already.
 */
class Grower {
  /** @param {Map<string, string[]>} symbols */
  constructor(symbols) {
    this.symbols = symbols;
    this.builder = new TreeBuilder("all");
    /** @type {Set<number>} */
    this.shared = new Set();
    /** @type {Map<string, number[]>} the names' numbers of each address, outer first */
    this.named = new Map();
    /** @type {(number[] | undefined)[]} the same for addresses below 0x100000, as ours are */
    this.small = [];
    /** @type {Set<string>} */
    const known = new Set();
    for (const names of symbols.values()) {
      for (const name of names) {
        if (names.length > 1 || known.has(name)) this.shared.add(this.builder.name(name));
        known.add(name);
      }
    }
  }

  /** @param {Stack[]} stacks @param {boolean} annotated */
  grow(stacks, annotated) {
    const { builder } = this;
    const texts = stacks.map(({ addresses }) => addresses);
    /** @type {Map<string, Stack[]>} */
    const groups = new Map();
    for (const stack of stacks) {
      const group = groups.get(stack.addresses);
      if (group) group.push(stack);
      else groups.set(stack.addresses, [stack]);
    }
    /** @type {Map<string | undefined, Trail>} */
    const trails = new Map();
    for (const addresses of new Set(texts.sort())) {
      for (const { weight, annotation } of groups.get(addresses) ?? []) {
        let trail = trails.get(annotation);
        if (!trail) {
          const root = annotated ? builder.child(0, builder.name(annotation ?? "unknown")) : 0;
          trail = { addresses: "", ends: [0], nodes: [root] };
          trails.set(annotation, trail);
        }
        this.follow(trail, addresses);
        builder.own[trail.nodes[trail.nodes.length - 1]] += weight;
      }
    }
    return builder.finish();
  }

  /** Move a trail to another stack. @param {Trail} trail @param {string} addresses */
  follow(trail, addresses) {
    const { ends, nodes } = trail;
    const same = beginning(trail.addresses, addresses);
    while (ends[ends.length - 1] > same) {
      ends.pop();
      nodes.pop();
    }
    let at = ends[ends.length - 1];
    while (at < addresses.length) {
      const end = addresses.indexOf(";", at);
      let node = nodes[nodes.length - 1];
      for (const name of this.namesAt(addresses, at, end)) {
        node = this.shared.has(name) ? this.builder.child(node, name) : this.builder.append(node, name);
      }
      nodes.push(node);
      at = end + 1;
      ends.push(at);
    }
    trail.addresses = addresses;
  }

  /** The names of the address that is written there. @param {string} addresses @param {number} from @param {number} to */
  namesAt(addresses, from, to) {
    const few = to - from <= 7;
    const number = few ? hexadecimal(addresses, from + 2, to) : 0;
    const known = few ? this.small[number] : this.named.get(addresses.slice(from, to));
    if (known) return known;
    const address = addresses.slice(from, to);
    const names = (this.symbols.get(address) ?? [address]).map((name) => this.builder.name(name));
    if (few) this.small[number] = names;
    else this.named.set(address, names);
    return names;
  }
}

/** How many characters two texts begin with alike. @param {string} one @param {string} other */
function beginning(one, other) {
  const most = Math.min(one.length, other.length);
  let same = 0;
  while (same < most && one.charCodeAt(same) === other.charCodeAt(same)) same += 1;
  return same;
}

/** @param {string} text of digits and small letters @param {number} from @param {number} to */
function hexadecimal(text, from, to) {
  let number = 0;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    number = number * 16 + (code < 58 ? code - 48 : code - 87);
  }
  return number;
}

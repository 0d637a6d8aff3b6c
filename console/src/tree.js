// Trees with weights, in arrays: what flame graphs and icicles are drawn from.
//
// A node is a number; the root is 0, and a parent's number is less than its children's.

const ROOT = 0;

/** A tree that is being made.  Children of one parent with one name are one node. */
export class TreeBuilder {
  /** @param {string} root the root's name */
  constructor(root) {
    /** @type {string[]} */
    this.texts = [];
    /** @type {Map<string, number>} */
    this.numbers = new Map();
    this.names = [this.name(root)];
    this.parents = [-1];
    this.own = [0];
    /** @type {Map<number, number>} */
    this.children = new Map();
  }

  /** The number of a name. @param {string} text */
  name(text) {
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.texts.length;
      this.numbers.set(text, number);
      this.texts.push(text);
    }
    return number;
  }

  /** The child of `parent` with the name of that number, which is made when it is not there. @param {number} parent @param {number} name */
  child(parent, name) {
    // Exact: both are far below 2 ** 26.
    const key = parent * 67108864 + name;
    let node = this.children.get(key);
    if (node === undefined) {
      node = this.append(parent, name);
      this.children.set(key, node);
    }
    return node;
  }

  /** A new child of `parent`, which has none with that name yet, nor will get one. @param {number} parent @param {number} name */
  append(parent, name) {
    this.parents.push(parent);
    this.names.push(name);
    this.own.push(0);
    return this.parents.length - 1;
  }

  /** Add weight to a path of names below the root. @param {string[]} path @param {number} weight */
  add(path, weight) {
    let node = ROOT;
    for (const part of path) node = this.child(node, this.name(part));
    this.own[node] += weight;
    return node;
  }

  /** @returns {Tree} */
  finish() {
    return new Tree(this.texts, Int32Array.from(this.names), Int32Array.from(this.parents), Float64Array.from(this.own));
  }
}

/** A finished tree: totals include what is below; children are ordered by total, the largest first. */
export class Tree {
  /** @param {string[]} texts @param {Int32Array} names @param {Int32Array} parents @param {Float64Array} own */
  constructor(texts, names, parents, own) {
    this.texts = texts;
    this.names = names;
    this.parents = parents;
    this.own = own;
    this.size = names.length;
    this.totals = Float64Array.from(own);
    this.depths = new Int32Array(this.size);
    for (let node = this.size - 1; node > 0; node--) this.totals[parents[node]] += this.totals[node];
    this.deepest = 0;
    for (let node = 1; node < this.size; node++) {
      const depth = this.depths[parents[node]] + 1;
      this.depths[node] = depth;
      if (depth > this.deepest) this.deepest = depth;
    }
    /** Children as slices of one array: those of `node` are `list[from[node]]` up to `list[from[node + 1]]`. */
    this.from = new Int32Array(this.size + 1);
    this.list = new Int32Array(this.size - 1);
    this.order();
  }

  order() {
    for (let node = 1; node < this.size; node++) this.from[this.parents[node] + 1] += 1;
    for (let node = 0; node < this.size; node++) this.from[node + 1] += this.from[node];
    const next = this.from.slice();
    for (let node = 1; node < this.size; node++) this.list[next[this.parents[node]]++] = node;
    for (let node = 0; node < this.size; node++) {
      const [from, to] = [this.from[node], this.from[node + 1]];
      if (to - from > 1) this.list.subarray(from, to).sort((a, b) => this.totals[b] - this.totals[a] || a - b);
    }
  }

  /** @param {number} node */
  text(node) {
    return this.texts[this.names[node]];
  }

  /** Children of a node, the largest first. @param {number} node @returns {Int32Array} */
  childrenOf(node) {
    return this.list.subarray(this.from[node], this.from[node + 1]);
  }

  /** From the root to the node, both included. @param {number} node @returns {number[]} */
  pathTo(node) {
    const path = [];
    for (let at = node; at >= 0; at = this.parents[at]) path.push(at);
    return path.reverse();
  }

  /**
   * Which names match, and the weight of all stacks in which at least one does (each counted once).
   *
   * @param {((text: string) => boolean) | null} matches null for no search
   * @returns {{ names: Uint8Array | null, weight: number }}
   */
  search(matches) {
    if (!matches) return { names: null, weight: 0 };
    const names = Uint8Array.from(this.texts, (text) => (matches(text) ? 1 : 0));
    names[this.names[ROOT]] = 0;
    const covered = new Uint8Array(this.size);
    let weight = 0;
    for (let node = 1; node < this.size; node++) {
      if (covered[this.parents[node]]) covered[node] = 1;
      else if (names[this.names[node]]) {
        covered[node] = 1;
        weight += this.totals[node];
      }
    }
    return { names, weight };
  }

  /**
   * Each name with its own weight and that of everything below, recursion counted once; the largest own weight first.
   *
   * @param {number} most
   * @returns {{ name: string, own: number, total: number }[]}
   */
  byName(most) {
    const own = new Float64Array(this.texts.length);
    const total = new Float64Array(this.texts.length);
    const above = new Int32Array(this.texts.length);
    // Leaving a node is told by its complement on the stack.
    const stack = [ROOT];
    while (stack.length) {
      const node = /** @type {number} */ (stack.pop());
      if (node < 0) {
        above[this.names[~node]] -= 1;
        continue;
      }
      const name = this.names[node];
      own[name] += this.own[node];
      if (above[name] === 0) total[name] += this.totals[node];
      above[name] += 1;
      stack.push(~node);
      for (const child of this.childrenOf(node)) stack.push(child);
    }
    const found = this.texts.map((name, at) => ({ name, own: own[at], total: total[at] }));
    found.splice(this.names[ROOT], 1);
    return found.sort((a, b) => b.own - a.own || b.total - a.total).slice(0, most);
  }
}

/**
 * What a search box asks for: text that names contain in any case, or `/a regular expression/`; null for nothing.
 *
 * @param {string} wanted
 * @returns {((text: string) => boolean) | null}
 */
export function matcher(wanted) {
  const text = wanted.trim();
  if (!text) return null;
  const expression = /^\/(.+)\/$/.exec(text);
  if (expression) {
    try {
      const compiled = new RegExp(expression[1], "iu");
      return (name) => compiled.test(name);
    } catch {
      // Not (yet) a regular expression: taken as it is written.
    }
  }
  const lower = text.toLowerCase();
  return (name) => name.toLowerCase().includes(lower);
}

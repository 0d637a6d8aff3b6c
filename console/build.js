// Builds the pages' scripts and styles.  `node build.js [FOLDER]`; without FOLDER, into the Python package.
//
// The same sources give the same bytes on every machine: no hash, no date, no path gets in.

import { copyFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { digests } from "./digests.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const STATIC = join(HERE, "..", "core", "fanlight", "pages", "static");
const target = process.argv[2] ?? STATIC;

const SCRIPTS = ["chart", "console", "flamegraph", "hierarchical-memory", "memory", "metrics-viz"];
const STYLES = ["console", "flamegraph", "memory", "metrics", "page", "prof"];

/** Pages that draw charts share one file with the charting library: it stays an import of theirs. */
const chartStaysOutside = {
  name: "chart",
  /** @param {import("esbuild").PluginBuild} made */
  setup(made) {
    made.onResolve({ filter: /^\.\/chart\.js$/ }, () => ({ path: "./chart.js", external: true }));
  },
};

const common = {
  absWorkingDir: HERE,
  bundle: true,
  charset: /** @type {const} */ ("utf8"),
  legalComments: /** @type {const} */ ("inline"),
  logLevel: /** @type {const} */ ("warning"),
  minify: true,
  target: ["es2022"],
};

await build({
  ...common,
  entryPoints: SCRIPTS.map((name) => `src/${name}.js`),
  format: "esm",
  outdir: join(target, "js"),
  plugins: [chartStaysOutside],
});
await build({ ...common, entryPoints: STYLES.map((name) => `src/css/${name}.css`), outdir: join(target, "css") });
await copyFile(join(HERE, "src", "icon.png"), join(target, "icon.png"));
await copyFile(join(HERE, "node_modules", "uplot", "LICENSE"), join(target, "js", "uPlot.LICENSE"));

if (target === STATIC) await writeFile(join(HERE, "built.json"), JSON.stringify(await digests(HERE, STATIC), null, 2) + "\n");

// What was built from what: SHA-256 of every source and of every built file, so that a test without npm can compare.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const SOURCES = ["build.js", "package-lock.json", "package.json"];

/** @param {string} folder @returns {Promise<Record<string, string>>} */
async function below(folder) {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return hashed(folder, files.map((file) => file.slice(folder.length + 1).replaceAll("\\", "/")));
}

/** @param {string} folder @param {string[]} names @returns {Promise<Record<string, string>>} */
async function hashed(folder, names) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const name of names.sort()) {
    found[name] = createHash("sha256").update(await readFile(join(folder, name))).digest("hex");
  }
  return found;
}

/** @param {string} console_ this folder @param {string} static_ where the built files are */
export async function digests(console_, static_) {
  const source = await below(join(console_, "src"));
  const sources = Object.fromEntries(Object.entries(source).map(([name, digest]) => [`src/${name}`, digest]));
  return { sources: { ...(await hashed(console_, SOURCES)), ...sources }, built: await below(static_) };
}

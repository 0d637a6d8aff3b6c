// Elements, made without markup: text from outside can never become an element or a script.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element with attributes and children.  `true` sets an attribute without a value, `false` and null leave it out; a
 * function is a listener for the event of that name.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean | null | ((event: any) => void)>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** The element with that id; the page has it. @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/**
 * A labelled row of radio buttons that looks like one control.
 *
 * @template {string} Value
 * @param {string} legend
 * @param {readonly (readonly [Value, string])[]} options value and label
 * @param {Value} chosen
 * @param {(value: Value) => void} changed
 */
export function choice(legend, options, chosen, changed) {
  const name = legend.toLowerCase().replaceAll(/\W+/g, "-");
  return el(
    "fieldset",
    { class: "choice" },
    el("legend", {}, legend),
    ...options.map(([value, label]) =>
      el(
        "label",
        {},
        el("input", { type: "radio", name, value, checked: value === chosen, change: () => changed(value) }),
        el("span", {}, label),
      ),
    ),
  );
}

/** The message in a live region: what went wrong, or nothing. @param {HTMLElement} region @param {unknown} problem */
export function complain(region, problem) {
  const text = problem === null ? "" : problem instanceof Error ? problem.message : String(problem);
  if (region.textContent !== text) region.textContent = text;
  region.hidden = text === "";
}

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function elementOf(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`The page has no ${type.name} with the id "${id}".`);
}

/** Text goes into elements as text: what comes from a file or from the API is never markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} text
 * @param {Record<string, string>} [attributes]
 * @returns {HTMLElementTagNameMap[Tag]} */
export function textElement(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/**
 * @param {HTMLSelectElement} select
 * @param {readonly { value: string, text: string }[]} choices
 * @param {string} [chosen]
 */
export function offer(select, choices, chosen) {
  select.replaceChildren(...choices.map(({ value, text }) => new Option(text, value, false, value === chosen)));
}

/** Changes text only when it is another: a live region would say it again.
 * @param {Element} element
 * @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

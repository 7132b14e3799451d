/** Whether the e2e tests are among those that Jest is told to run: they need a browser.
 * @param {readonly string[]} parameters of Jest
 * @returns {boolean} */
export function needsBrowser(parameters) {
  const selected = valuesOf(parameters, '--selectProjects');
  if (selected !== undefined) return selected.includes('e2e');
  return !valuesOf(parameters, '--ignoreProjects')?.includes('e2e');
}

/** What stands between an option and the next one; undefined when the option is not given.
 * @param {readonly string[]} parameters
 * @param {string} option */
function valuesOf(parameters, option) {
  const from = parameters.findIndex((parameter) => parameter === option || parameter.startsWith(`${option}=`));
  if (from === -1) return undefined;
  const [, joined] = parameters[from]?.split('=') ?? [];
  const rest = parameters.slice(from + 1);
  const end = rest.findIndex((parameter) => parameter.startsWith('-'));
  return [...(joined?.split(',') ?? []), ...rest.slice(0, end === -1 ? rest.length : end)];
}

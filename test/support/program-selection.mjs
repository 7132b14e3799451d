/** Whether the e2e tests are among those that Jest is told to run: they need a browser.
 * @param {readonly string[]} parameters of Jest
 * @returns {boolean} */
export function needsBrowser(parameters) {
  return selects(parameters, 'e2e');
}

/** Whether the conformance tests are: they check metrics and alert rules.
 * @param {readonly string[]} parameters of Jest
 * @returns {boolean} */
export function needsPromtool(parameters) {
  return selects(parameters, 'conformance');
}

/** @param {readonly string[]} parameters
 * @param {string} project
 * @returns {boolean} */
function selects(parameters, project) {
  const selected = valuesOf(parameters, '--selectProjects');
  if (selected !== undefined) return selected.includes(project);
  return !valuesOf(parameters, '--ignoreProjects')?.includes(project);
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

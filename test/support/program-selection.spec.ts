import { needsBrowser, needsPromtool } from './program-selection.mjs';

describe.each([
  ['needsBrowser', needsBrowser, 'e2e'],
  ['needsPromtool', needsPromtool, 'conformance'],
] as const)('%s', (_, needs, project) => {
  it.each([
    [[]],
    [['--selectProjects', 'unit', project, '-t', 'x']],
    [[`--selectProjects=${project}`]],
    [['--ignoreProjects', 'measured']],
  ])('is so with %j', (parameters) => expect(needs(parameters)).toBe(true));

  it.each([
    [['--selectProjects', 'unit', '-t', project]],
    [['--selectProjects=unit']],
    [['--ignoreProjects', 'measured', project]],
  ])('is not so with %j', (parameters) => expect(needs(parameters)).toBe(false));
});

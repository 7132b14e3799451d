import { needsBrowser } from './browser-selection.mjs';

describe('needsBrowser', () => {
  it.each([
    [[]],
    [['--selectProjects', 'unit', 'e2e', '-t', 'x']],
    [['--selectProjects=e2e']],
    [['--ignoreProjects', 'measured']],
  ])('is so with %j', (parameters) => expect(needsBrowser(parameters)).toBe(true));

  it.each([
    [['--selectProjects', 'unit', '-t', 'e2e']],
    [['--selectProjects=unit']],
    [['--ignoreProjects', 'measured', 'e2e']],
  ])('is not so with %j', (parameters) => expect(needsBrowser(parameters)).toBe(false));
});

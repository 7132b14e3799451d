import { matrixOf, UnknownVersionError } from './matrix-arguments.mjs';

describe('matrixOf', () => {
  it('takes every supported version when none is given', () => {
    expect(matrixOf([])).toEqual({ versions: ['20', '22', '24'], parameters: [] });
    expect(matrixOf(['--', '--watch'])).toEqual({ versions: ['20', '22', '24'], parameters: ['--watch'] });
  });

  it('hands everything after the first -- to the tests', () => {
    expect(matrixOf(['22', '24.9.0', '--', '-t', '22', '--'])).toEqual({
      versions: ['22', '24.9.0'],
      parameters: ['-t', '22', '--'],
    });
  });

  it('refuses what is no version and says how to pass arguments on', () => {
    expect(() => matrixOf(['22', '--selectProjects', 'unit'])).toThrow(UnknownVersionError);
    expect(() => matrixOf(['latest'])).toThrow(
      '"latest" is no version. Example: npm run test:matrix -- 22 24 -- --select',
    );
  });
});

import { jest } from '@jest/globals';
import { againAlone } from './failed-again.mjs';

describe('files that failed in npm test', () => {
  const file = { file: '/a.spec.ts', passed: 3, failed: 1, skipped: 0 };
  const first = { code: 1, counts: { passed: 103, failed: 1, skipped: 2 }, failedFiles: [file] };
  const passing = { code: 0, counts: { passed: 4, failed: 0, skipped: 0 }, failedFiles: [] };
  const say = jest.fn<(line: string) => void>();

  it('run once more alone, and are named when they pass', async () => {
    const again = jest.fn(async () => passing);
    expect(await againAlone(first, again, say)).toEqual({
      code: 0,
      counts: { passed: 104, failed: 0, skipped: 2 },
      failedFiles: [],
    });
    expect(again).toHaveBeenCalledWith(['/a.spec.ts']);
    expect(say).toHaveBeenLastCalledWith(expect.stringContaining('FLAKY: /a.spec.ts'));
  });

  it('fail when they fail alone as well', async () => {
    const failing = { code: 1, counts: { passed: 3, failed: 1, skipped: 0 }, failedFiles: [file] };
    expect(await againAlone(first, async () => failing, say)).toMatchObject({ code: 1, counts: { failed: 1 } });
    expect(await againAlone(first, async () => ({ code: 1 }), say)).toBe(first);
  });

  it.each([
    ['nothing failed', passing],
    ['many did', { ...first, counts: { ...first.counts, failed: 4 }, failedFiles: [file, file, file, file] }],
    ['a failure has no file', { ...first, counts: { ...first.counts, failed: 2 } }],
    ['Jest itself fell', { code: 134 }],
  ])('do not run again when %s', async (_, run) => {
    const again = jest.fn(async () => passing);
    expect(await againAlone(run, again, say)).toBe(run);
    expect(again).not.toHaveBeenCalled();
  });
});

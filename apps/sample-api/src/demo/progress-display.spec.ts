import { PassThrough } from 'node:stream';
import type { JobStatus } from 'nestjs-jobs';
import { progressDisplay } from './progress-display.js';

describe('what the demo shows of a job', () => {
  it('[A4] is text, also when a task wrote what a terminal would obey', () => {
    const stream = new PassThrough();
    const display = progressDisplay(stream as unknown as NodeJS.WriteStream);
    display.show({ kind: 'log', line: '\u001B[2Jread\u0007 it\r' });
    const status = { state: 'running', stage: { name: '\u001B[31mparse' }, progress: 12.7, attempt: 2 };
    display.show({ kind: 'status', status: status as unknown as JobStatus });
    display.end();
    expect(String(stream.read())).toBe('      logged: [2Jread it\n 12%  [31mparse, running (attempt 2)\n');
  });
});

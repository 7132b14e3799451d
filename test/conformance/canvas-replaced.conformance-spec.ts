import { Injectable } from '@nestjs/common';
import { CanvasTooLargeError, chain, chord, group, type JobContext, Task, task } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { fail, number, Sums, xsum } from '../support/sums.js';

const WAIT = { timeout: '50s' } as const;

@Injectable()
class Replaced {
  tooLarge: unknown;

  @Task()
  async body(numbers: number[], job: JobContext): Promise<number> {
    return job.replaceWith(chain(number.s(100), number.s()));
  }

  @Task({ retry: { attempts: 1 } })
  async large(_payload: unknown, job: JobContext): Promise<number> {
    const payload = { message: 'x'.repeat(100_000) };
    try {
      return await job.replaceWith(chord(Array.from({ length: 90 }, () => fail.s(payload)), xsum.s())); // prettier-ignore
    } catch (error) {
      this.tooLarge = error;
      throw error;
    }
  }
}

const body = task(Replaced, 'body');
const large = task(Replaced, 'large');

describe.each(backends)('a replaced job on $name', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Sums, Replaced] });
  });
  afterAll(() => app?.close());

  it('[V10] is the body of a chord, and has the result of what replaced it', async () => {
    const started = await app.jobs.start(chord([number.s(1), number.s(2)], body.s()));
    expect(await started.result(WAIT)).toBe(100);
    expect(await started.children[0]!.result(WAIT)).toBe(1);
    expect((await started.status()).counts).toEqual({ total: 3, open: 0, succeeded: 3, failed: 0 });
  });

  it('[V10] is not replaced by what is too large, and fails at once', async () => {
    const started = await app.jobs.start(large.s({}));
    await expect(started.result(WAIT)).rejects.toMatchObject({ error: { name: 'CanvasTooLargeError' } });
    expect(app.app.get(Replaced).tooLarge).toBeInstanceOf(CanvasTooLargeError);
  });
});

describe.each(backends)('the counts of a canvas on $name', (backend) => {
  let app: JobsApp;
  beforeAll(async () => {
    app = await startJobsApp({ backend, providers: [Sums] });
  });
  afterAll(() => app?.close());

  it('[V2] say that members which never come to be have failed', async () => {
    const started = await app.jobs.start(chain(fail.s({ message: 'no' }), group([number.s(), number.s()])));
    await started.result(WAIT).catch(() => undefined);
    expect((await started.status()).counts).toEqual({ total: 3, open: 0, succeeded: 0, failed: 3 });
  });
});

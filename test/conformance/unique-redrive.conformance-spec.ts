import { DuplicateJobError, type JobHandle, type UniqueOptions } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import type { JobsApp } from '../support/jobs-app.js';
import { Keyed, once, startKeyed } from '../support/keyed.js';

const kinds = [{ until: 'finished' }, { until: 'started' }, { until: '1h' }] as const;

describe.each(backends)('dead letters with a key on $name', (backend) => {
  let started: JobsApp;
  let keys = 0;
  let key: string;
  beforeAll(async () => {
    started = await startKeyed(backend);
  });
  afterAll(() => started?.close());
  beforeEach(async () => {
    Keyed.reset();
    key = `key ${++keys}`;
    await started.jobs.deadLetters.discardAll({});
  });

  const enqueue = (text: string, unique: Omit<UniqueOptions, 'key'>, options = {}): Promise<JobHandle<string>> =>
    started.jobs.enqueue(once, { text }, { unique: { key, ...unique }, ...options });

  async function failed(unique: Omit<UniqueOptions, 'key'>): Promise<string> {
    Keyed.during = () => {
      throw new Error('never');
    };
    const job = await enqueue('first', unique);
    await expect(job.result()).rejects.toThrow('never');
    Keyed.reset();
    return job.id;
  }

  describe.each(kinds)('until $until', (unique) => {
    it('[I4] the new job has the key of the failed one', async () => {
      const { deadLetters } = started.jobs;
      const id = await failed(unique);
      let inside: JobHandle | undefined;
      const held = Keyed.hold('first');
      const again = await deadLetters.redrive(id);
      expect(again.created).toBe(true);
      await held.begun;
      inside = await enqueue('second', unique, { delay: '1h' });
      expect(inside.created).toBe(unique.until === 'started');
      if (unique.until !== 'started') expect(inside.id).toBe(again.id);
      held.go();
      expect(await again.result()).toBe('first');
      const after = await enqueue('third', unique, { delay: '1h' });
      expect(after.created).toBe(unique.until === 'finished');
      await Promise.all([inside.cancel(), after.cancel()]);
    });

    it('[I4] it is refused while another job has the key, and can be redriven later', async () => {
      const { deadLetters } = started.jobs;
      const id = await failed(unique);
      const other = await enqueue('other', unique, { delay: '1h' });
      expect(other.created).toBe(true);
      const refused = deadLetters.redrive(id);
      await expect(refused).rejects.toThrow(DuplicateJobError);
      await expect(refused).rejects.toMatchObject({ key, task: 'Keyed.once', jobId: other.id });
      const report = await deadLetters.redriveAll({});
      expect(report).toMatchObject({ matched: 1, redriven: 0, refused: 1 });
      expect(report.refusals[0]).toMatchObject({ id, error: { name: 'DuplicateJobError' } });
      expect(await deadLetters.get(id)).not.toHaveProperty('redrivenAs');
      await other.cancel();
      const again = await deadLetters.redrive(id);
      expect(await again.result()).toBe('first');
      expect(Keyed.ran).toEqual(['first']);
    });
  });

  it('[I4] of two dead letters with one key, one is redriven at a time', async () => {
    const { deadLetters } = started.jobs;
    await failed({});
    await failed({});
    const held = Keyed.hold('first');
    const report = await deadLetters.redriveAll({});
    expect(report).toMatchObject({ matched: 2, redriven: 1, refused: 1 });
    await held.begun;
    held.go();
    const [first] = (await deadLetters.list({ redriven: true })).letters;
    await started.jobs.job(first!.redrivenAs!).result();
    expect(await deadLetters.redriveAll({ redriven: false })).toMatchObject({ matched: 1, redriven: 1 });
  });
});

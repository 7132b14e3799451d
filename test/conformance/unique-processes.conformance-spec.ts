import type { EnqueueOptions } from 'nestjs-jobs';
import type { KeyedSettings } from '../fixtures/keyed-process.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { Keyed, run, startKeyed } from '../support/keyed.js';

const OPTIONS: EnqueueOptions[] = [
  { unique: { key: 'finished' }, delay: '1h' },
  { unique: { key: 'started', until: 'started' }, delay: '1h' },
  { unique: { key: 'replaced', onConflict: 'replace' }, delay: '1h' },
  { throttle: { key: 'throttled', every: '1h' }, delay: '1h' },
  { debounce: { key: 'debounced', wait: '1h' } },
];
const CALLS = 8;

// The embedded database is that of one process.
const shared = backends.filter(({ name }) => name !== 'embedded');

if (shared.length > 0) {
  describe.each(shared)('unique jobs of several processes on $name', (backend) => {
    const spawn = (settings: Omit<KeyedSettings, 'connection'>): ChildHandle =>
      spawnFixture('keyed-process', {
        env: { KEYED_SETTINGS: JSON.stringify({ connection: backend.connection()!, ...settings }) },
      });

    beforeEach(() => Keyed.reset());

    it('[I4] of many calls in many processes at once, one makes the job', async () => {
      const namespace = uniqueNamespace();
      const children = Array.from({ length: 3 }, () => spawn({ namespace, options: OPTIONS, calls: CALLS }));
      await Promise.all(children.map((child) => child.waitForLine(/^ready$/)));
      const exits = children.map((child) => child.kill('SIGUSR2'));
      const lines = await Promise.all(children.map((child) => child.waitForLine(/^enqueued (.*)$/)));
      const answers = lines.map((line) => JSON.parse(line[1]!) as { id: string; created: boolean }[]);
      for (const [n] of OPTIONS.entries()) {
        const ofKey = answers.flatMap((each) => each.slice(n * CALLS, (n + 1) * CALLS));
        expect(ofKey).toHaveLength(3 * CALLS);
        expect(ofKey.filter(({ created }) => created)).toHaveLength(1);
        expect(new Set(ofKey.map(({ id }) => id)).size).toBe(1);
      }
      for (const exit of exits) expect(await exit).toEqual({ code: 0, signal: null });
    });

    it('[I4] a job whose process died keeps its key until it has run elsewhere', async () => {
      const namespace = uniqueNamespace();
      const producer = await startKeyed(backend, { namespace, workers: false, lease: '1s' });
      const enqueue = (text: string) => producer.jobs.enqueue(run, { text }, { unique: { key: 'k' } });
      const victim = spawn({ namespace });
      await victim.waitForLine(/^ready$/);
      const first = await enqueue('first');
      expect(await victim.exited).toEqual({ code: null, signal: 'SIGKILL' });
      expect(await enqueue('second')).toMatchObject({ id: first.id, created: false });
      const held = Keyed.hold('first');
      const worker = await startKeyed(backend, { namespace, lease: '1s' });
      await held.begun;
      expect(await enqueue('third')).toMatchObject({ id: first.id, created: false });
      held.go();
      expect(await first.result()).toBe('first');
      const next = await enqueue('next');
      expect(next.created).toBe(true);
      expect(await next.result()).toBe('next');
      await eventually(() => expect(Keyed.ran).toEqual(['first', 'next']));
      await worker.close();
      await producer.close();
    });
  });
}

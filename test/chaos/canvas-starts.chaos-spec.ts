import { setTimeout as pause } from 'node:timers/promises';
import { chain, chord, group, type Signature } from 'nestjs-jobs';
import type { Fault } from '../fixtures/canvas-faults.js';
import { body, item } from '../fixtures/canvas-tasks.js';
import { backends } from '../support/backends.js';
import { allHasEnded, CanvasCrashes, countIn, OPEN } from '../support/canvas-crashes.js';
import { isFull, itIf, runsOn } from '../support/test-form.js';

const WAIT = { timeout: '60s' } as const;

/** More than are read before any is added, and how many are added at a time. */
const STREAMED = 600;
const PAGE = 125;
const LAST_PAGE = '.500';

const ABANDONED: { gap: string; fault: Fault; added: number }[] = [
  {
    gap: 'after the job that waits for the group was added',
    fault: { call: 'FlowProducer.add', of: '', when: 'after' },
    added: 0,
  },
  {
    gap: 'between two pages',
    fault: { call: 'FlowProducer.addBulk', of: `.${PAGE}`, when: 'after' },
    added: 2 * PAGE,
  },
  {
    gap: 'after the last page',
    fault: { call: 'FlowProducer.addBulk', of: LAST_PAGE, when: 'after' },
    added: STREAMED,
  },
  {
    gap: 'before the gate is opened',
    fault: { call: 'Job.updateData', of: '.s', when: 'before' },
    added: STREAMED,
  },
];

/** In the last two all is added, and the gate is shut: one of them is left to the full run. */
const ABANDONED_HERE = ABANDONED.filter((_death, n) => isFull || n !== 2);

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const sorted = (values: unknown[]): number[] => (values as number[]).toSorted((a, b) => a - b);
const items = (count: number): Signature<unknown, number>[] => numbers(count).map((n) => item.si({ n }));

describe.each(backends)('a process that is killed -9 while it starts a canvas on $name', (backend) => {
  const crashes = new CanvasCrashes(backend);

  itIf(runsOn(backend, backends, 1), '[V1] before it is added: nothing of it is there', async () => {
    const fault: Fault = { call: 'FlowProducer.add', of: '', when: 'before', atOnce: true };
    const id = await crashes.diesIn(chain(item.si({ n: 0 }), group(items(3)), body.s()), { fault });
    const app = await crashes.goOn();
    await expect(app.jobs.job(id).status()).rejects.toMatchObject({ name: 'JobNotFoundError' });
    expect(await countIn(app, ['completed', 'failed', ...OPEN])).toBe(0);
    await app.close();
  });

  itIf(runsOn(backend, backends, 2), '[V1] after it was added: all of it runs once', async () => {
    const fault: Fault = { call: 'FlowProducer.add', of: '', when: 'after' };
    const id = await crashes.diesIn(chain(item.si({ n: 0 }), group(items(3)), body.s()), { fault });
    const app = await crashes.goOn();
    expect(await app.jobs.job(id).result(WAIT)).toEqual(numbers(3));
    await allHasEnded(app);
    await app.close();
    expect(sorted(crashes.told('item'))).toEqual([0, ...numbers(3)]);
    expect(crashes.told('body')).toEqual([numbers(3)]);
  });

  for (const death of ABANDONED_HERE.filter((_death, n) => runsOn(backend, backends, n + 2))) {
    it.each([death])('[V2] with a group of an iterable, $gap: the canvas fails', async ({ fault, added }) => {
      const id = await crashes.diesIn(undefined, { streamed: STREAMED, fault });
      const app = await crashes.goOn();
      await expect(app.jobs.job(id).result(WAIT)).rejects.toMatchObject({ error: { name: 'AbandonedCanvasError' } });
      await allHasEnded(app);
      await app.close();
      expect(sorted(crashes.told('item'))).toEqual(numbers(added));
      expect(crashes.told('body')).toEqual([]);
    });
  }

  itIf(runsOn(backend, backends, 2), '[V2] after it has opened the gate of its group: it goes on', async () => {
    const fault: Fault = { call: 'Job.updateData', of: '.s', when: 'after' };
    const id = await crashes.diesIn(undefined, { streamed: STREAMED, fault });
    const app = await crashes.goOn();
    expect(await app.jobs.job(id).result(WAIT)).toEqual(numbers(STREAMED));
    await allHasEnded(app);
    await app.close();
    expect(sorted(crashes.told('item'))).toEqual(numbers(STREAMED));
    expect(crashes.told('body')).toEqual([numbers(STREAMED)]);
  });

  itIf(runsOn(backend, backends, 1), '[V2] a process that is slow, but alive, is not taken for dead', async () => {
    const app = await crashes.goOn();
    const slowly = async function* (): AsyncGenerator<Signature<unknown, number>> {
      for (const [n, each] of items(STREAMED).entries()) {
        if (n > STREAMED - 3) await pause(crashes.lease * 1.2);
        yield each;
      }
    };
    const { id } = await app.jobs.start(chord(slowly(), body.s()));
    expect(await app.jobs.job(id).result(WAIT)).toEqual(numbers(STREAMED));
    await allHasEnded(app);
    await app.close();
    expect(sorted(crashes.told('item'))).toEqual(numbers(STREAMED));
    expect(crashes.told('body')).toEqual([numbers(STREAMED)]);
  });
});

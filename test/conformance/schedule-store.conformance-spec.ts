import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import type { ScheduleStore } from '../../libs/jobs/src/backend/schedule-store.js';
import { backends, ownNamespace } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

describe.each(backends)('the store of schedules on $name', (backend) => {
  let app: JobsApp;
  let store: ScheduleStore;
  let namespace: string;
  beforeEach(async () => {
    namespace = ownNamespace(backend);
    app = await start();
    store = app.app.get<QueueBackend>(QUEUE_BACKEND).schedules;
  });
  afterEach(() => app?.close());

  async function start(): Promise<JobsApp> {
    const started = await startJobsApp({ backend, options: { namespace, workers: false } });
    await started.app.get<QueueBackend>(QUEUE_BACKEND).whenReady(10_000);
    return started;
  }

  const versionOf = async (name: string): Promise<number> => (await store.read(name))!.version;

  it('[S3] keeps one version after the other, and refuses whoever does not know the last one', async () => {
    expect(await store.read('a')).toBeUndefined();
    expect(await store.write('a', 1, 'never', {})).toBe(false);
    expect(await store.write('a', 0, 'one: {"b":1,"a":2}', {})).toBe(true);
    expect(await store.write('a', 0, 'other', {})).toBe(false);
    const version = await versionOf('a');
    expect(await store.read('a')).toEqual({ name: 'a', version, body: 'one: {"b":1,"a":2}' });
    expect(await store.write('a', version, 'two', {})).toBe(true);
    expect(await store.write('a', version, 'late', {})).toBe(false);
    expect(await store.read('a')).toEqual({ name: 'a', version: version + 1, body: 'two' });
  });

  it('[S3] removes one, also of a version only', async () => {
    await store.write('a', 0, 'one', { next: 5, owner: 'ada' });
    const version = await versionOf('a');
    expect(await store.remove('a', version + 1)).toBe(false);
    expect(await store.remove('a', version)).toBe(true);
    expect(await store.remove('a')).toBe(false);
    expect(await store.read('a')).toBeUndefined();
    expect(await store.overdue(10, 10)).toEqual([]);
    expect(await store.list({ limit: 10, owner: 'ada' })).toEqual({ schedules: [], cursor: undefined });
    // Of that name there may be another one.
    expect(await store.write('a', 0, 'again', {})).toBe(true);
    expect(await store.write('a', version, 'of the one before', {})).toBe(false);
    expect(await store.remove('a')).toBe(true);
  });

  it('[S3] lists them by name, in pages', async () => {
    for (const name of ['b', 'a.1', 'B', 'a', 'a-1']) await store.write(name, 0, `body of ${name}`, {});
    const first = await store.list({ limit: 3 });
    expect(first.schedules.map(({ name }) => name)).toEqual(['B', 'a', 'a-1']);
    expect(first.schedules[0]).toMatchObject({ name: 'B', body: 'body of B' });
    const second = await store.list({ limit: 3, cursor: first.cursor });
    expect(second.schedules.map(({ name }) => name)).toEqual(['a.1', 'b']);
    expect(second.cursor).toBeUndefined();
  });

  it('[S3] lists those of an owner, whose name may be the beginning of another one', async () => {
    const owners = { a: 'ada', b: 'ad', c: 'ada', d: undefined, e: 'adam', f: 'ada' };
    for (const [name, owner] of Object.entries(owners)) await store.write(name, 0, name, { owner });
    const namesOf = async (owner: string, cursor?: string): Promise<string[]> =>
      (await store.list({ limit: 2, owner, cursor })).schedules.map(({ name }) => name);
    expect(await namesOf('ada')).toEqual(['a', 'c']);
    expect(await namesOf('ada', 'c')).toEqual(['f']);
    expect(await namesOf('ad')).toEqual(['b']);
    expect(await namesOf('nobody')).toEqual([]);
    await store.write('a', await versionOf('a'), 'a', { owner: 'adam' });
    await store.write('c', await versionOf('c'), 'c', {});
    expect(await namesOf('ada')).toEqual(['f']);
    expect(await namesOf('adam')).toEqual(['a', 'e']);
  });

  it('[S5] knows which should have fired before a time, the oldest first', async () => {
    const times = { a: 30, b: 10, c: undefined, d: 20, e: 40 };
    for (const [name, next] of Object.entries(times)) await store.write(name, 0, name, { next });
    expect(await store.overdue(40, 10)).toEqual(['b', 'd', 'a']);
    expect(await store.overdue(40, 2)).toEqual(['b', 'd']);
    await store.write('b', await versionOf('b'), 'b', { next: 50 });
    await store.write('d', await versionOf('d'), 'd', {});
    expect(await store.overdue(40, 10)).toEqual(['a']);
  });

  it.each([1, 8, 32])(
    '[S5] of many who write the same version one is taken, at concurrency %i',
    async (concurrency) => {
      // An embedded store has one process at a time.
      const beside = backend.name === 'embedded' ? undefined : await start();
      const stores = [store, beside?.app.get<QueueBackend>(QUEUE_BACKEND).schedules ?? store];
      const names = ['a', 'b', 'c'];
      const add = async (name: string, own: ScheduleStore, owner: string): Promise<void> => {
        for (let added = 0; added < 8;) {
          const found = await own.read(name);
          const value = Number(found?.body ?? 0) + 1;
          if (await own.write(name, found?.version ?? 0, String(value), { next: value, owner })) added++;
        }
      };
      const writers = Array.from({ length: concurrency }, async (_, n) => {
        // Two that write the same ones begin with others.
        const ordered = n % 4 < 2 ? names : names.toReversed();
        await Promise.all(ordered.map((name) => add(name, stores[n % 2]!, `o${n}`)));
      });
      await Promise.all(writers);
      const all = await store.list({ limit: 5 });
      expect(all.schedules.map(({ name, body }) => [name, body])).toEqual(
        names.map((name) => [name, String(8 * concurrency)]),
      );
      const owners = await Promise.all(writers.map((_, n) => store.list({ limit: 5, owner: `o${n}` })));
      expect(owners.flatMap(({ schedules }) => schedules)).toHaveLength(names.length);
      await beside?.close();
    },
  );
});

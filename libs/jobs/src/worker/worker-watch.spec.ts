import { UnansweredEnds } from '../backend/unanswered-ends.js';
import { WorkerWatch, type Owed, type WatchedWorker } from './worker-watch.js';

/** What a watch sees of a worker and of its store, for a test to change. */
function watched(): {
  worker: { -readonly [K in keyof WatchedWorker]: WatchedWorker[K] };
  is: { busy: boolean; owed: Owed };
  watch: WorkerWatch;
  looks: (count: number) => Promise<boolean[]>;
} {
  const worker = {
    name: 'default',
    ends: new UnansweredEnds(),
    isReady: true,
    lastFetchAt: 1,
    unansweredRenewal: undefined as number | undefined,
    isWaitingForLimit: false,
    isPaused: () => false,
    isRunning: () => true,
  };
  const is = { busy: false, owed: 'jobs' as Owed };
  const watch = new WorkerWatch(worker, { isBusy: () => is.busy, owed: async () => is.owed });
  const looks = async (count: number): Promise<boolean[]> => {
    const found = [];
    for (let n = 0; n < count; n++) found.push(await watch.look());
    return found;
  };
  return { worker, is, watch, looks };
}

interface End {
  readonly told: Promise<void>;
  answer(): void;
  refuse(): void;
}

function anEnd(): End {
  const settle = {} as Pick<End, 'answer' | 'refuse'>;
  const told = new Promise<void>((resolve, reject) => {
    Object.assign(settle, { answer: resolve, refuse: () => reject(new Error('Missing lock')) });
  });
  return { told, ...settle };
}

const never = (found: boolean[]): void => expect(found).not.toContain(true);

it('finds a worker deaf that fetches nothing for five looks after the first, though jobs wait', async () => {
  const { watch, looks } = watched();
  expect(await looks(6)).toEqual([false, false, false, false, false, true]);
  expect(watch.problem).toMatch(/^jobs wait, but its worker has a free slot and fetched nothing for \d+ ms$/);
});

it('finds a worker deaf whose store does not answer, and says so', async () => {
  const { is, watch, looks } = watched();
  is.owed = 'no answer';
  expect(await looks(6)).toContain(true);
  expect(watch.problem).toMatch(/the store does not say whether jobs wait$/);
});

it('finds a worker deaf whose connections are not ready after three looks, until they are', async () => {
  const { worker, watch, looks } = watched();
  worker.isReady = false;
  for (const _look of ['first', 'second']) {
    worker.lastFetchAt++;
    never(await looks(1));
  }
  worker.lastFetchAt++;
  expect(await looks(1)).toEqual([true]);
  expect(watch.problem).toMatch(/^its worker cannot end jobs/);
  worker.lastFetchAt++;
  expect(watch.problem).toMatch(/^its worker cannot end jobs/);
  worker.isReady = true;
  expect(watch.problem).toBeUndefined();
});

it('finds nothing while a worker fetches, now and then', async () => {
  const { worker, looks } = watched();
  for (let n = 0; n < 10; n++) {
    worker.lastFetchAt++;
    never(await looks(4));
  }
});

it.each<[string, (seen: ReturnType<typeof watched>) => unknown]>([
  ['has a task in every slot', ({ is }) => (is.busy = true)],
  ['waits for a rate limit', ({ worker }) => (worker.isWaitingForLimit = true)],
  ['is paused', ({ worker }) => (worker.isPaused = () => true)],
  ['has stopped', ({ worker }) => (worker.isRunning = () => false)],
  ['is owed nothing', ({ is }) => (is.owed = 'nothing')],
])('finds nothing of a worker that %s', async (_state, enter) => {
  const seen = watched();
  enter(seen);
  never(await seen.looks(20));
});

it('does not hold against a worker how long a task kept its only slot', async () => {
  const { is, looks } = watched();
  is.busy = true;
  await looks(20);
  is.busy = false;
  never(await looks(4));
});

it('does not take the first job after a quiet time for one that nobody fetched', async () => {
  const { worker, is, looks } = watched();
  is.owed = 'nothing';
  await looks(20);
  is.owed = 'jobs';
  never(await looks(1));
  worker.lastFetchAt++;
  never(await looks(5));
});

it('finds a worker deaf whose renewal is not answered at three looks, though all its slots are busy', async () => {
  const { worker, is, watch, looks } = watched();
  is.busy = true;
  worker.unansweredRenewal = 5;
  expect(await looks(3)).toEqual([false, false, true]);
  expect(watch.problem).toMatch(/^the claims on its running jobs could not be renewed for \d+ ms/);
  worker.unansweredRenewal = undefined;
  expect(watch.problem).toBeUndefined();
});

it.each<[string, (end: End) => void]>([
  ['answered', (end) => end.answer()],
  ['refused', (end) => end.refuse()],
])(
  'finds a worker deaf that gets no answer to the end of an attempt, though it fetches, until that is %s',
  async (_how, settle) => {
    const { worker, watch, looks } = watched();
    const end = anEnd();
    worker.ends.add(end.told);
    const found = [];
    for (let n = 0; n < 3; n++) {
      worker.lastFetchAt++;
      worker.ends.add(Promise.resolve());
      found.push(...(await looks(1)));
    }
    expect(found).toEqual([false, false, true]);
    expect(watch.problem).toMatch(/^that attempts ended \(1\) could not be told for \d+ ms/);
    watch.beginAnew();
    worker.lastFetchAt++;
    never(await looks(2));
    expect(watch.problem).toBeDefined();
    settle(end);
    await end.told.catch(() => undefined);
    // Told again.
    worker.ends.add(anEnd().told);
    expect(watch.problem).toBeUndefined();
    worker.lastFetchAt++;
    never(await looks(2));
  },
);

it('does not take ends that are told one after the other for one', async () => {
  const { worker, looks } = watched();
  let last: End | undefined;
  for (let n = 0; n < 10; n++) {
    const end = anEnd();
    worker.ends.add(end.told);
    last?.answer();
    await last?.told;
    last = end;
    worker.lastFetchAt++;
    never(await looks(2));
  }
});

it('does not take three renewals for one', async () => {
  const { worker, is, looks } = watched();
  is.busy = true;
  for (let n = 1; n < 20; n++) {
    worker.unansweredRenewal = n;
    never(await looks(2));
  }
});

it('keeps the problem until the worker is answered, and takes as long to find it again', async () => {
  const { worker, watch, looks } = watched();
  await looks(6);
  watch.beginAnew();
  expect(await looks(4)).not.toContain(true);
  expect(watch.problem).toBeDefined();
  expect(await looks(1)).toEqual([true]);
  worker.lastFetchAt++;
  expect(watch.problem).toBeUndefined();
});

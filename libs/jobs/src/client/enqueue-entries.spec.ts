import { expectTypeOf } from 'expect-type';
import { Task } from '../task/task.decorator.js';
import { task, type TaskRef } from '../task/task-ref.js';
import { InvalidEnqueueOptionsError } from './client.errors.js';
import { readEntries, type EnqueueEntry } from './enqueue-entries.js';
import type { JobHandle } from './job-handle.js';
import type { JobsService } from './jobs.service.js';

class Mails {
  @Task()
  async welcome(_payload: { userId: string; tags?: string[] }): Promise<{ sent: number }> {
    return { sent: 1 };
  }

  @Task()
  count(_payload: number): number {
    return 1;
  }

  @Task()
  sweep(): void {}

  @Task()
  notify(_payload?: string): string {
    return '';
  }
}

const users = [{ id: 'ada', age: 36 }];
const transaction = { query: async () => ({ rows: [] }) };

// Compiled by the type check, never called: what they assert are types.
async function typesOfHandles(jobs: JobsService): Promise<void> {
  const welcomed = await jobs.enqueueMany(
    users.map((u) => ({ task: task(Mails, 'welcome'), payload: { userId: u.id }, options: { priority: 7 } })),
    { transaction },
  );
  expectTypeOf(welcomed).toEqualTypeOf<JobHandle<{ sent: number }>[]>();
  const [mail, count, sweep, notice] = await jobs.enqueueMany([
    { task: task(Mails, 'welcome'), payload: { userId: 'ada', tags: ['new'] }, options: { delay: '1m' } },
    { task: task(Mails, 'count'), payload: 7, options: { runAt: new Date() } },
    { task: task(Mails, 'sweep') },
    { task: task(Mails, 'notify') },
  ]);
  expectTypeOf(await mail.result()).toEqualTypeOf<{ sent: number }>();
  expectTypeOf(await count.result()).toEqualTypeOf<number>();
  expectTypeOf(await sweep.result()).toEqualTypeOf<null>();
  expectTypeOf(await notice.result()).toEqualTypeOf<string>();
  const mixed: EnqueueEntry<TaskRef<number, boolean> | TaskRef<string, string>>[] = [];
  expectTypeOf(await jobs.enqueueMany(mixed)).toEqualTypeOf<JobHandle<boolean | string>[]>();
  expectTypeOf(await jobs.enqueueMany([])).toEqualTypeOf<[]>();
}

async function typesThatAreRefused(jobs: JobsService): Promise<void> {
  const welcome = task(Mails, 'welcome');
  // @ts-expect-error the payload of all has another type
  await jobs.enqueueMany(users.map((u) => ({ task: welcome, payload: { userId: u.age } })));
  // @ts-expect-error the payload is missing from all
  await jobs.enqueueMany(users.map(() => ({ task: welcome })));
  const [count, good] = [task(Mails, 'count'), { task: welcome, payload: { userId: 'ada' } }];
  // @ts-expect-error the payload of the second has another type
  await jobs.enqueueMany([good, { task: count, payload: 'x' }]);
  // @ts-expect-error the payload is another task's
  await jobs.enqueueMany([good, { task: count, payload: good.payload }]);
  // @ts-expect-error the payload of the second is missing
  await jobs.enqueueMany([{ task: task(Mails, 'sweep') }, { task: welcome }]);
  // @ts-expect-error the task takes no payload
  await jobs.enqueueMany([{ task: task(Mails, 'sweep'), payload: 1 }]);
  // @ts-expect-error there is no such option
  await jobs.enqueueMany([{ task: task(Mails, 'sweep'), options: { prio: 1 } }]);
  // @ts-expect-error delay and runAt exclude each other
  await jobs.enqueueMany([{ task: task(Mails, 'sweep'), options: { delay: 1, runAt: new Date() } }]);
  // @ts-expect-error the whole list has one transaction
  await jobs.enqueueMany([{ task: task(Mails, 'sweep'), options: { transaction } }]);
  // @ts-expect-error also when a list is made elsewhere
  await jobs.enqueueMany(users.map(() => ({ task: task(Mails, 'sweep'), options: { transaction } })));
  // @ts-expect-error an entry in a variable is checked as well
  const wrong: EnqueueEntry<typeof welcome> = { task: welcome, payload: { userId: 1 } };
  await jobs.enqueueMany([wrong]);
}

describe('the entries of enqueueMany', () => {
  const sweep = task(Mails, 'sweep');

  it('are read as they stand, each with its place', () => {
    const entries = [{ task: sweep }, { task: task(Mails, 'count'), payload: 7, options: { delay: 5 } }];
    expect(readEntries(entries)).toEqual([
      { task: sweep, payload: undefined, options: undefined, place: 'entries[0]' },
      { ...entries[1], place: 'entries[1]' },
    ]);
    expect(readEntries([])).toEqual([]);
    expect([typesOfHandles, typesThatAreRefused]).toHaveLength(2);
  });

  const sparse: unknown[] = [{ task: sweep }];
  sparse[2] = { task: sweep };
  const refused: [string, unknown, RegExp][] = [
    ['no list', undefined, /"entries" must be an array of entries like \{ task: task\(.*but is undefined/],
    ['one entry', { task: sweep }, /"entries" must be an array.*the keys task/],
    ['an iterable', new Set([{ task: sweep }]), /an instance of Set/],
    ['null in the list', [{ task: sweep }, null], /"entries\[1\]" must be an object like \{ task:.*but is null/],
    ['a hole in the list', sparse, /"entries\[1\]".*but is undefined/],
    ['a task without its entry', [sweep], /no option "entries\[0\]\.name"\. Known here: task, payload, options/],
    ['a payload under another name', [{ task: sweep, data: 1 }], /no option "entries\[0\]\.data"/],
    [
      'an entry without a task',
      [{ payload: 1 }],
      /"entries\[0\]\.task" must be a task as task\(Class, 'method'\).*undefined/,
    ],
    ['a class as task', [{ task: Mails }], /"entries\[0\]\.task".*but is function/],
    ["a task's name", [{ task: 'Mails.sweep' }], /but is "Mails\.sweep"/],
    ['an object with a name', [{ task: { name: 'Mails.sweep' } }], /the keys name/],
  ];

  it.each(refused)('are refused: %s', (_what, entries, message) => {
    expect(() => readEntries(entries)).toThrow(InvalidEnqueueOptionsError);
    expect(() => readEntries(entries)).toThrow(message);
  });
});

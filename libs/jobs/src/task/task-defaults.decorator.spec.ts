import { readTask } from './task-metadata.js';
import { taskContract } from './task-contract.js';
import { TaskDefaults } from './task-defaults.decorator.js';
import { Task } from './task.decorator.js';
import { InvalidTaskError } from './task.errors.js';
import type { SharedTaskOptions } from './task-options.js';

const contract = taskContract('mails.contracted', { queue: 'contracts', retry: { attempts: 9, factor: 3 } });

@TaskDefaults({ queue: 'mails', priority: 7, retry: { attempts: 8, delay: '5s' }, keepResult: false })
abstract class MailTasks {
  @Task()
  inherited(): void {}
}

abstract class Between extends MailTasks {}

@TaskDefaults({ priority: 9, retry: { delay: '1m' }, expiresIn: '1h' })
class Newsletters extends Between {
  @Task({ queue: 'bulk', priority: undefined, retry: { attempts: 2, delay: undefined, jitter: 'none' } })
  send(): void {}

  @Task(contract, { retry: { maxDelay: '2m', factor: 7 } })
  contracted(): void {}
}

class Plain {
  @Task({ queue: 'plain' })
  send(): void {}

  @Task(contract)
  contracted(): void {}
}

const optionsOf = (host: { prototype: object }, method: string) => readTask(host.prototype, method)!.run;

describe('[R5] @TaskDefaults', () => {
  it('gives way to what the task itself says, key by key', () => {
    expect(optionsOf(Newsletters, 'send')).toEqual({
      queue: 'bulk',
      priority: 9,
      expiresIn: '1h',
      keepResult: false,
      retry: { attempts: 2, delay: '1m', jitter: 'none' },
    });
  });

  it('is inherited over classes without it, and overridden key by key', () => {
    expect(optionsOf(MailTasks, 'inherited')).toEqual({
      queue: 'mails',
      priority: 7,
      retry: { attempts: 8, delay: '5s' },
      keepResult: false,
    });
    expect(optionsOf(Newsletters, 'inherited')).toMatchObject({ priority: 9, retry: { attempts: 8, delay: '1m' } });
  });

  it('says the same to producers and to workers', () => {
    const declared = readTask(Newsletters.prototype, 'send')!;
    expect(declared.enqueued).toBe(declared.run);
  });

  it('leaves the options of a class without it as they are', () => {
    expect(optionsOf(Plain, 'send')).toEqual({ queue: 'plain' });
    expect(optionsOf(Plain, 'contracted')).toBe(contract.options);
  });

  it('adds no more to a contract than the waits between attempts, which producers need not know', () => {
    const { enqueued, run } = readTask(Newsletters.prototype, 'contracted')!;
    expect(enqueued).toBe(contract.options);
    expect(run).toEqual({
      name: 'mails.contracted',
      queue: 'contracts',
      retry: { attempts: 9, factor: 3, delay: '1m', maxDelay: '2m' },
    });
  });

  it('shares a time limit key by key, also with a contract, which goes first', () => {
    const limited = taskContract('limited', { timeLimit: { hard: '3m' } });
    @TaskDefaults({ timeLimit: { soft: '1m', hard: '2m' } })
    class Limited {
      @Task({ timeLimit: { hard: '5m' } })
      own(): void {}

      @Task({ timeLimit: false })
      endless(): void {}

      @Task(contract, { timeLimit: { soft: '30s' } })
      contracted(): void {}

      @Task(limited)
      limited(): void {}
    }
    const limitOf = (method: string): unknown => optionsOf(Limited, method).timeLimit;
    expect(limitOf('own')).toEqual({ soft: '1m', hard: '5m' });
    expect(limitOf('endless')).toBe(false);
    expect(limitOf('contracted')).toEqual({ soft: '30s', hard: '2m' });
    expect(limitOf('limited')).toEqual({ soft: '1m', hard: '3m' });
  });

  it('refuses what tasks cannot share', () => {
    const decorate = (): void => TaskDefaults({ name: 'all.the.same' } as SharedTaskOptions)(Plain);
    expect(decorate).toThrow(InvalidTaskError);
    expect(decorate).toThrow('Plain has @TaskDefaults with the option "name", which tasks cannot share');
  });
});

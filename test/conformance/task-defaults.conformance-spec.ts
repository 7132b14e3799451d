import { Injectable } from '@nestjs/common';
import { Task, task, TaskDefaults, type JobContext } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@TaskDefaults({ queue: 'mails', keepResult: false, retry: { attempts: 2, delay: 1, jitter: 'none' } })
abstract class MailTasks {
  @Task()
  fails(): never {
    throw new Error('no mail');
  }
}

@Injectable()
class Welcome extends MailTasks {
  @Task({ keepResult: true })
  told(_payload: undefined, job: JobContext): { queue: string; maxAttempts: number } {
    return { queue: job.queue, maxAttempts: job.maxAttempts };
  }

  @Task()
  untold(): string {
    return 'nobody asks';
  }
}

@TaskDefaults({ retry: { attempts: 3 } })
@Injectable()
class Reminders extends MailTasks {
  @Task({ queue: 'slow', retry: { attempts: 1 } })
  failsOnce(): never {
    throw new Error('no mail');
  }
}

describe.each(backends)('[R5] the defaults of a class on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    const providers = [Welcome, Reminders];
    started = await startJobsApp({ backend, providers, options: { queues: { mails: {}, slow: {} } } });
  });
  afterAll(() => started?.close());

  it('hold for its tasks, under what they say themselves', async () => {
    const told = await started.jobs.enqueue(task(Welcome, 'told'));
    expect(await told.result()).toEqual({ queue: 'mails', maxAttempts: 2 });
    const untold = await started.jobs.enqueue(task(Welcome, 'untold'));
    expect(await untold.result()).toBeNull();
    expect((await untold.status()).state).toBe('succeeded');
  });

  it('are inherited with the methods, and overridden by key', async () => {
    const runs = async (ref: ReturnType<typeof task<Reminders, 'fails'>>): Promise<[string, number]> => {
      const job = await started.jobs.enqueue(ref);
      await expect(job.result()).rejects.toThrow('no mail');
      const { queue, attempts } = await job.status();
      return [queue, attempts.length];
    };
    expect(await runs(task(Welcome, 'fails'))).toEqual(['mails', 2]);
    expect(await runs(task(Reminders, 'fails'))).toEqual(['mails', 3]);
    expect(await runs(task(Reminders, 'failsOnce'))).toEqual(['slow', 1]);
  });
});

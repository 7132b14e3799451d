import { BullModule, getQueueToken, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { JobsService, Task, task } from 'nestjs-jobs';
import { backends, redisUrl, uniqueNamespace } from '../support/backends.js';
import { startJobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

const redis = backends.filter(({ name }) => name === 'redis');

// `describe.each` refuses an empty table.
if (redis.length > 0) {
  describe.each(redis)('an app that also has @nestjs/bullmq on the same $name', (backend) => {
    it('[Q1] has queues of one name in both, which do not meet', async () => {
      const processed = signal<unknown>();
      @Processor('mails')
      class Mails extends WorkerHost {
        async process(job: Job): Promise<void> {
          processed.reach([job.name, job.data]);
        }
      }
      @Injectable()
      class OurMails {
        @Task({ queue: 'mails' })
        send(to: string): string {
          return `sent to ${to}`;
        }
      }
      const connection = new Redis(redisUrl(), { maxRetriesPerRequest: null });
      const { app, close } = await startJobsApp({
        backend,
        providers: [Mails, OurMails],
        imports: [
          BullModule.forRoot({ connection, prefix: uniqueNamespace() }),
          BullModule.registerQueue({ name: 'mails' }),
        ],
        options: { queues: { mails: {} } },
      });
      const theirs = app.get<Queue>(getQueueToken('mails'));
      await theirs.add('welcome', { to: 'Ada' });
      expect(await processed.reached).toEqual(['welcome', { to: 'Ada' }]);
      const ours = await app.get(JobsService).enqueue(task(OurMails, 'send'), 'Ada');
      expect(await ours.result()).toBe('sent to Ada');
      expect(await theirs.getJob(ours.id)).toBeUndefined();
      expect(await app.get(JobsService).queue('mails').getJobCountByTypes()).toBe(1);
      await close();
      connection.disconnect();
    });
  });
}

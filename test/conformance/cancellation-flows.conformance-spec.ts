import { Injectable } from '@nestjs/common';
import type { FlowProducer } from 'bullmq';
import { Task } from 'nestjs-jobs';
import { QUEUE_BACKEND } from '../../libs/jobs/src/backend/backend.tokens.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@Injectable()
class Member {
  @Task({ name: 'member.run' })
  run(): void {}
}

/** A job of a flow, as BullMQ takes it. */
function member(id: string, opts: object = {}) {
  return { name: 'member.run', queueName: 'default', data: {}, opts: { jobId: `default_${id}`, ...opts } };
}

describe.each(backends)('cancelling a flow on $name', (backend) => {
  let started: JobsApp;
  let flows: FlowProducer;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Member] });
    flows = started.app.get<QueueBackend>(QUEUE_BACKEND).createFlowProducer();
  });
  afterAll(async () => {
    await flows?.close();
    await started?.close();
  });

  it.each(['failParentOnFailure', 'ignoreDependencyOnFailure', 'removeDependencyOnFailure', 'continueParentOnFailure'])(
    '[A6] of a whole flow marks every member and removes none, whose children have %s',
    async (option) => {
      const leaf = (n: number) => member(`leaf-${n}-${option}`, { delay: 3_600_000, [option]: true });
      const middle = { ...member(`middle-${option}`, { [option]: true }), children: [leaf(1), leaf(2)] };
      await flows.add({ ...member(`root-${option}`), children: [middle, leaf(3)] });
      const ids = ['root', 'middle', 'leaf-1', 'leaf-2', 'leaf-3'].map((name) => `default_${name}-${option}`);
      const root = started.jobs.job(ids[0]!);
      expect(await root.status()).toMatchObject({ state: 'blocked' });
      expect(await root.cancel({ reason: 'the whole', flow: true })).toBe(true);
      for (const id of ids) {
        const job = started.jobs.job(id);
        await job.result().catch(() => {});
        expect(await job.status()).toMatchObject({ id, state: 'cancelled', reason: 'the whole', attempt: 0 });
      }
    },
  );

  it('[A6] of one child of a flow cancels the parent that it takes along', async () => {
    const child = member('alone', { delay: 3_600_000, failParentOnFailure: true });
    await flows.add({ ...member('taken-along'), children: [child] });
    expect(await started.jobs.job('default_alone').cancel({ reason: 'just this' })).toBe(true);
    const parent = started.jobs.job('default_taken-along');
    await expect(parent.result()).rejects.toMatchObject({ name: 'JobCancelledError', reason: 'just this' });
    expect(await started.jobs.deadLetters.count({ task: 'member.run' })).toBe(0);
  });
});

import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { OnJobEvent, Task, task, type JobEvent } from 'nestjs-jobs';
import { JobReader } from '../../libs/jobs/src/client/job-reader.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@Injectable()
class Mails {
  @Task({ name: 'mails.send' })
  send(): void {}
}

@Injectable()
class Everywhere {
  readonly heard = new Set<string>();

  @OnJobEvent({ events: ['succeeded'], scope: 'fleet' })
  onEnd({ id }: JobEvent<'succeeded'>): void {
    this.heard.add(id);
  }
}

describe.each(backends)('listeners of the fleet on $name', (backend) => {
  let started: JobsApp;
  let heard: Set<string>;
  const send = async (): Promise<string> => (await started.jobs.enqueue(task(Mails, 'send'))).id;

  beforeEach(async () => {
    const options = { connectTimeout: '5s' } as const;
    started = await startJobsApp({ backend, providers: [Mails, Everywhere], options });
    ({ heard } = started.app.get(Everywhere));
    await eventually(async () => {
      await send();
      return heard.size > 0;
    });
  });
  afterEach(() => started.close());

  it('[M1] hear of other jobs although the store never answers what became of one', async () => {
    const find = jest.spyOn(started.app.get(JobReader, { strict: false }), 'find');
    find.mockReturnValueOnce(new Promise(() => {}));
    await send();
    await eventually(() => find.mock.calls.length > 0);
    const next = await send();
    await eventually(() => heard.has(next), { timeout: 30_000 });
  }, 60_000);
});

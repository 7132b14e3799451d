import { jest } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { JobsClient } from '../../libs/jobs/src/client/jobs-client.js';
import { EventStreamClient } from '../support/event-stream-client.js';
import { eventually } from '../support/eventually.js';
import { make, startLiveApp, type LiveApp } from '../support/live-app.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { ownServers } from '../support/own-servers.js';

// `describe.each` refuses an empty table: embedded has no server that could be away.
if (ownServers.length > 0) {
  describe.each(ownServers)('live status while $name is away', ({ name, start, url }) => {
    it('[A4] [A2] [C9] goes on when it is back, to the end of the job, and says little meanwhile', async () => {
      const store = await start();
      const logger = new MemoryLogger();
      const live: LiveApp = await startLiveApp(
        {
          name,
          backend: { name, connection: () => url(store.port) },
          create: (module: TestingModule) => module.createNestApplication({ logger }),
        },
        { options: { connectTimeout: '500ms', lease: '2s' } },
      );
      const job = await live.jobs.enqueue(make, {});
      const client = await EventStreamClient.open(`${live.url}/jobs/${job.id}/events`);
      const waiting = fetch(`${live.url}/jobs/${job.id}?wait=50s`);
      await eventually(() => client.of('log').length === 1 && live.polls.size === 1);
      const looks = jest.spyOn(live.app.get(JobsClient, { strict: false }), 'reach');
      await store.kill();
      await eventually(() => looks.mock.calls.length >= 5, { timeout: 30_000 });
      await store.restart();
      for (const step of live.reports.steps) step.reach();
      await client.ended;
      const { data, id } = client.events.at(-1)!;
      expect({ data, id }).toEqual({
        data: expect.objectContaining({ terminal: true }),
        id: expect.stringMatching(/-end$/),
      });
      expect(await (await waiting).json()).toMatchObject({ terminal: true });
      expect(logger.text().split('cannot be reached')).toHaveLength(2);
      expect([live.streams.size, live.polls.size, live.watches.size]).toEqual([0, 0, 0]);
      await live.close();
      await store.stop();
    }, 120_000);
  });
}

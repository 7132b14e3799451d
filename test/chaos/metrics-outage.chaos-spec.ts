import { Injectable } from '@nestjs/common';
import { Task, task } from 'nestjs-jobs';
import { JobsMetricsModule } from 'nestjs-jobs/metrics';
import { Registry } from 'prom-client';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';
import { ownServers } from '../support/own-servers.js';
import { Scrape } from '../support/scrape.js';

@Injectable()
class Work {
  @Task({ name: 'work.well' })
  well(): void {}
}

const scrapeOf = async (register: Registry): Promise<Scrape> => new Scrape(await register.metrics());

// `describe.each` refuses an empty table: embedded has no server that could be away.
if (ownServers.length > 0) {
  describe.each(ownServers)('metrics while $name is away', ({ name, start, url }) => {
    it('[M2] [C9] tell what the process knows, and of the fleet when it is back', async () => {
      const store = await start();
      const register = new Registry();
      const started = await startJobsApp({
        backend: { name, connection: () => url(store.port) },
        providers: [Work],
        imports: [JobsMetricsModule.forRoot({ register })],
        options: { connectTimeout: '500ms' },
      });
      await (await started.jobs.enqueue(task(Work, 'well'))).result();
      await eventually(async () => {
        const told = await scrapeOf(register);
        expect(told.sum('jobs_finished_total')).toBe(1);
        expect(told.of('jobs_dead_letters')).toHaveLength(1);
      });
      await store.kill();
      const away = await scrapeOf(register);
      expect(away.sum('jobs_finished_total')).toBe(1);
      expect(away.of('jobs_dead_letters')).toEqual([]);
      await store.restart();
      await eventually(async () => expect((await scrapeOf(register)).of('jobs_dead_letters')).toHaveLength(1), {
        timeout: 30_000,
      });
      await started.close();
      await store.stop();
    });
  });
}

import { task } from 'nestjs-jobs';
import { metricsOptions, Post, SETTINGS_VARIABLE, type MetricsSettings } from '../fixtures/metrics-tasks.js';
import { backends, uniqueNamespace } from '../support/backends.js';
import { spawnFixture, type ChildHandle } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { Scrape, sumOver } from '../support/scrape.js';
import { sized } from '../support/test-form.js';

const JOBS = sized(1_000, 400);

interface Worker {
  readonly process: ChildHandle;
  readonly url: string;
}

// `describe.each` refuses an empty table: an embedded store has one process.
const shared = backends.filter(({ name }) => name !== 'embedded');
if (shared.length > 0) {
  describe.each(shared)('metrics of two processes on $name', (backend) => {
    let settings: MetricsSettings;
    let workers: Worker[];
    let producer: JobsApp;

    // Each test leaves two workers to the next one, and the last one leaves one.
    beforeAll(async () => {
      settings = { connection: backend.connection()!, namespace: uniqueNamespace() };
      workers = await Promise.all([start(), start()]);
      producer = await startJobsApp({
        backend,
        providers: [Post],
        options: { ...metricsOptions(settings), workers: false },
      });
    });
    afterAll(async () => {
      await producer.close();
      await Promise.all(workers.map(({ process }) => process.kill('SIGTERM')));
    });

    async function start(): Promise<Worker> {
      const process = spawnFixture('metrics-worker', { env: { [SETTINGS_VARIABLE]: JSON.stringify(settings) } });
      const [, url] = await process.waitForLine(/^METRICS (\S+)$/, { timeout: 60_000 });
      return { process, url: url! };
    }

    const scrapeAll = (): Promise<Scrape[]> => Promise.all(workers.map(({ url }) => Scrape.of(url)));
    const tellers = (scrapes: readonly Scrape[]): Scrape[] =>
      scrapes.filter((scrape) => scrape.of('jobs_dead_letters').length > 0);

    it('[M2] in sum count each job as often as it happened, a tenth of them failing', async () => {
      await producer.jobs.enqueueMany(
        Array.from({ length: JOBS }, (_, n) => ({
          task: n < JOBS / 2 ? task(Post, 'letter') : task(Post, 'parcel'),
          payload: { n },
        })),
      );
      const half = JOBS / 2;
      const truth: [name: string, labels: Record<string, string>, value: number][] = [
        // Of a hundred letters ten fail twice, and ten once.
        ['jobs_started_total', { task: 'letters.send', queue: 'letters' }, half * 1.2],
        ['jobs_started_total', { task: 'parcels.send' }, half],
        ['jobs_retried_total', {}, half * 0.2],
        ['jobs_finished_total', { outcome: 'succeeded' }, JOBS * 0.9],
        ['jobs_finished_total', { outcome: 'failed', queue: 'parcels' }, half * 0.1],
        ['jobs_finished_total', {}, JOBS],
        ['jobs_failed_total', { error: 'RangeError', task: 'letters.send' }, half * 0.1],
        ['jobs_failed_total', {}, JOBS * 0.1],
        ['jobs_duration_seconds_count', {}, JOBS + half * 0.2],
        ['jobs_duration_seconds_bucket', { le: '+Inf' }, JOBS + half * 0.2],
        ['jobs_wait_seconds_count', {}, JOBS],
        ['jobs_stalled_total', {}, 0],
        ['jobs_workers', { queue: 'parcels' }, 2],
        ['jobs_worker_slots', { queue: 'parcels' }, 6],
        ['jobs_active', {}, 0],
        ['jobs_dead_letters', { queue: 'letters' }, half * 0.1],
        ['jobs_dead_letters', {}, JOBS * 0.1],
        ['jobs_queue_depth', {}, 0],
      ];
      const told = await eventually(
        async () => {
          const scrapes = await scrapeAll();
          expect(truth.map(([name, labels]) => [name, labels, sumOver(scrapes, name, labels)])).toEqual(truth);
          expect(tellers(scrapes)).toHaveLength(1);
          return scrapes;
        },
        { timeout: 60_000, interval: 250 },
      );
      // One did not do it all, or nothing was summed.
      for (const scrape of told) expect(scrape.sum('jobs_finished_total')).toBeGreaterThan(0);
    });

    it('[M2] has another one tell of the fleet when the one that did is killed', async () => {
      const told = await eventually(async () => {
        const scrapes = await scrapeAll();
        expect(tellers(scrapes)).toHaveLength(1);
        return scrapes;
      });
      const first = told.findIndex((scrape) => tellers([scrape]).length === 1);
      const [killed, left] = [workers[first]!, workers[1 - first]!];
      await killed.process.kill('SIGKILL');
      workers = [left];
      // As long as the dead one counts as alive nobody tells; after that the other one.
      await eventually(async () => expect(tellers(await scrapeAll())).toHaveLength(1), {
        timeout: 60_000,
        interval: 500,
      });
      workers = [left, await start()];
      for (let scrapes = 0; scrapes < 3; scrapes++) expect(tellers(await scrapeAll())).toHaveLength(1);
    });

    it('[M2] has another one tell of the fleet at once when the one that did shuts down', async () => {
      const told = await eventually(async () => {
        const scrapes = await scrapeAll();
        expect(tellers(scrapes)).toHaveLength(1);
        return scrapes;
      });
      const first = told.findIndex((scrape) => tellers([scrape]).length === 1);
      const [leaving, left] = [workers[first]!, workers[1 - first]!];
      await leaving.process.kill('SIGTERM');
      workers = [left];
      expect(tellers(await scrapeAll())).toHaveLength(1);
    });
  });
}

import { backends } from '../support/backends.js';
import { spawnSampleApi } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { pollUntilEnded, sampleEnvironment, startSampleApi, type SampleApi } from '../support/sample-api.js';
import { Scrape } from '../support/scrape.js';
import { itIf, runsOn } from '../support/test-form.js';

const METRICS_TOKEN = 'not-to-be-guessed-by-anyone';
const REQUEST = { dataset: 'seattle-weather', groupBy: 'weather', measure: 'precipitation' };

async function scrapeWith(url: string, token?: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/metrics`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  return { status: response.status, text: await response.text() };
}

async function makeReport({ url }: SampleApi): Promise<void> {
  const response = await fetch(`${url}/reports`, {
    method: 'POST',
    body: JSON.stringify(REQUEST),
    headers: { 'content-type': 'application/json' },
  });
  const { pollUrl } = (await response.json()) as { pollUrl: string };
  await pollUntilEnded(url, pollUrl);
}

describe.each(backends)('the metrics of the sample API on $name', (backend) => {
  itIf(runsOn(backend, backends, 0), '[M2] are for those who have the token', async () => {
    const api = await startSampleApi(backend, { METRICS_TOKEN });
    await makeReport(api);
    expect((await scrapeWith(api.url)).status).toBe(401);
    expect((await scrapeWith(api.url, 'something else of the kind')).status).toBe(401);
    const told = await eventually(async () => {
      const { text } = await scrapeWith(api.url, METRICS_TOKEN);
      const scrape = new Scrape(text);
      expect(scrape.sum('jobs_finished_total', { queue: 'reports', outcome: 'succeeded' })).toBe(1);
      expect(scrape.of('jobs_queue_depth').length).toBeGreaterThan(0);
      return scrape;
    });
    expect(told.sum('jobs_schedule_fired_total')).toBe(0);
    await api.stop();
  });
});

const shared = backends.filter(({ name }) => name !== 'embedded');
if (shared.length > 0) {
  describe.each(shared)('the metrics of a worker process of the sample on $name', (backend) => {
    itIf(runsOn(backend, shared, 0), '[M2] are served at a port of their own, behind the same guard', async () => {
      const env = { METRICS_TOKEN, WORKER_METRICS_PORT: '0', JOBS_WORKERS: 'false' };
      const api = await startSampleApi(backend, env);
      const environment = { ...sampleEnvironment(backend, api.directory), ...env };
      const worker = spawnSampleApi('worker', { env: environment });
      const [, url] = await worker.waitForLine(/Metrics: (\S+)\/metrics$/, { timeout: 60_000 });
      await makeReport(api);
      expect((await scrapeWith(url!)).status).toBe(401);
      await eventually(async () => {
        const ofWorker = new Scrape((await scrapeWith(url!, METRICS_TOKEN)).text);
        expect(ofWorker.sum('jobs_finished_total', { queue: 'reports' })).toBe(1);
        expect(ofWorker.sum('jobs_workers', { queue: 'reports' })).toBe(1);
        const ofApi = new Scrape((await scrapeWith(api.url, METRICS_TOKEN)).text);
        expect(ofApi.sum('jobs_finished_total')).toBe(0);
        expect(ofApi.of('jobs_workers')).toEqual([]);
        expect([ofApi, ofWorker].filter((scrape) => scrape.of('jobs_dead_letters').length > 0)).toHaveLength(1);
      });
      // And nothing else is.
      expect((await fetch(`${url}/health`)).status).toBe(404);
      await worker.kill('SIGTERM');
      await api.stop();
    });
  });
}

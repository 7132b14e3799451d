import { backends } from '../support/backends.js';
import { pollUntilEnded, startSampleApi, type SampleApi } from '../support/sample-api.js';

/** Milliseconds that each of the requests took, one after the other, until `stop` says so. */
async function timeHealthRequests(url: string, stop: (count: number) => boolean): Promise<number[]> {
  const times: number[] = [];
  while (!stop(times.length)) {
    const start = performance.now();
    const response = await fetch(`${url}/health`);
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    times.push(performance.now() - start);
  }
  return times;
}

function p95(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)]!;
}

const embedded = backends.filter(({ name }) => name === 'embedded');

if (embedded.length > 0) {
  describe.each(embedded)('the event loop on $name', (backend) => {
    let api: SampleApi;
    beforeAll(async () => {
      api = await startSampleApi(backend);
    });
    afterAll(() => api?.stop());

    async function makeReport(): Promise<void> {
      const response = await fetch(`${api.url}/reports`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ dataset: 'seattle-weather', groupBy: 'date', measure: 'precipitation' }),
      });
      const { pollUrl } = (await response.json()) as { pollUrl: string };
      expect((await pollUntilEnded(api.url, pollUrl, 250)).at(-1)!.state).toBe('succeeded');
    }

    it('[X3] stays free while 20 reports run: p95 of GET /health is at most 5 times that of the idle app', async () => {
      await makeReport();
      await timeHealthRequests(api.url, (count) => count === 200);
      const idle = p95(await timeHealthRequests(api.url, (count) => count === 400));
      let running = true;
      const reports = Promise.all(Array.from({ length: 20 }, makeReport)).finally(() => (running = false));
      const underLoad = await timeHealthRequests(api.url, () => !running);
      await reports;
      console.log(
        `GET /health p95: ${idle.toFixed(2)} ms idle, ${p95(underLoad).toFixed(2)} ms under load (${underLoad.length} requests)`,
      );
      expect(underLoad.length).toBeGreaterThan(100);
      expect(p95(underLoad) / idle).toBeLessThanOrEqual(5);
    });
  });
}

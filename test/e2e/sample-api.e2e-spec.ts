import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobStatus } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { spawnSampleApi, type ChildHandle } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { pollUntilEnded, sampleEnvironment, startSampleApi, type SampleApi } from '../support/sample-api.js';
import { itIf, runsOn, sized } from '../support/test-form.js';

interface Accepted {
  id: string;
  state: string;
  pollUrl: string;
}

interface Summary {
  rows: number;
  groups: { group: string; count: number; sum: number; mean: number }[];
  files: { pdf: string; csv: string };
}

async function stopsQuietly(child: ChildHandle): Promise<void> {
  expect(await child.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
  expect(child.stderr.join('\n')).toBe('');
}

describe.each(backends)('the sample API on $name', (backend) => {
  let api: SampleApi;
  beforeAll(async () => {
    api = await startSampleApi(backend);
  });
  afterAll(() => api?.stop());

  function post(body: string, type: string, query = ''): Promise<Response> {
    return fetch(`${api.url}/reports${query}`, { method: 'POST', body, headers: { 'content-type': type } });
  }

  async function lastStatus(response: Response): Promise<JobStatus> {
    expect(response.status).toBe(202);
    return (await pollUntilEnded(api.url, ((await response.json()) as Accepted).pollUrl)).at(-1)!;
  }

  it('[A1] [A2] [A4] [X3] makes a report of real data in the background, seen from enqueue to files', async () => {
    const request = { dataset: 'seattle-weather', groupBy: 'weather', measure: 'precipitation' };
    const response = await post(JSON.stringify(request), 'application/json');
    const accepted = (await response.json()) as Accepted;
    expect(response.status).toBe(202);
    expect(accepted).toEqual({ id: accepted.id, state: 'pending', pollUrl: `/jobs/${accepted.id}` });
    expect(response.headers.get('location')).toBe(accepted.pollUrl);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);

    const seen = await pollUntilEnded(api.url, accepted.pollUrl);
    const last = seen.at(-1)!;
    expect(last).toMatchObject({ state: 'succeeded', stage: { name: 'RENDERING' }, progress: 100 });
    const { rows, groups, files } = last.result as Summary;
    expect(rows).toBe(1461);
    expect(groups.reduce((count, group) => count + group.count, 0)).toBe(1461);
    expect(groups.map(({ group }) => group).sort()).toEqual(['drizzle', 'fog', 'rain', 'snow', 'sun']);
    const percents = seen.flatMap(({ progress }) => (typeof progress === 'number' ? [progress] : []));
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));

    const pdf = await fetch(api.url + files.pdf);
    expect(pdf.headers.get('content-type')).toContain('application/pdf');
    expect(
      Buffer.from(await pdf.arrayBuffer())
        .subarray(0, 5)
        .toString(),
    ).toBe('%PDF-');
    const csv = await fetch(api.url + files.csv);
    expect(csv.headers.get('content-type')).toContain('text/csv');
    expect((await csv.text()).trim().split(/\r?\n/)).toHaveLength(6);
  });

  it('makes a report of a file that is sent', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => `"group ${n % 4}",${n}`);
    const status = await lastStatus(
      await post(`name,value\r\n${rows.join('\r\n')}`, 'text/csv', '?groupBy=name&measure=value'),
    );
    const { rows: counted, groups } = status.result as Summary;
    expect(counted).toBe(20_000);
    expect(groups.find(({ group }) => group === 'group 1')).toMatchObject({ count: 5_000, mean: 9_999 });
    await eventually(async () => expect(await readdir(join(api.directory, 'reports', 'uploads'))).toEqual([]));
  });

  itIf(runsOn(backend, backends, 1), '[A6] stops a report that is being made, and leaves nothing behind', async () => {
    // Two million rows, nearly as much as is taken.
    const sent = await post(`a,b\n${'x,1\n'.repeat(2_000_000)}`, 'text/csv', '?groupBy=a&measure=b');
    const { id, pollUrl } = (await sent.json()) as Accepted;
    const status = async (): Promise<JobStatus> => (await (await fetch(api.url + pollUrl)).json()) as JobStatus;
    await eventually(async () => (await status()).stage?.name === 'PROCESSING', { timeout: 60_000, interval: 5 });
    const cancelled = await fetch(api.url + pollUrl, { method: 'DELETE' });
    expect(cancelled.status).toBe(202);
    expect(await cancelled.json()).toEqual({ cancelled: true });
    const last = (await pollUntilEnded(api.url, pollUrl)).at(-1);
    expect(last).toMatchObject({ state: 'cancelled', attempt: 1 });
    const reports = join(api.directory, 'reports');
    expect(await readdir(join(reports, 'uploads'))).toEqual([]);
    expect(await readdir(reports)).not.toContain(id);
    expect((await fetch(`${api.url}${pollUrl}`, { method: 'DELETE' })).status).toBe(202);
  });

  const allBad: [string, string, string, RegExp][] = [
    ['an empty file', '', 'FILE_EMPTY', /empty/i],
    ['a file of only a header', 'a,b\n', 'FILE_EMPTY', /row/i],
    ['a file that is no CSV', 'a,b\n"1,2\n', 'CSV_INVALID', /line|quote/i],
    ['a column that is not there', 'x,b\n1,2\n', 'COLUMN_UNKNOWN', /x.*b/],
    ['numbers too large to be added up', 'a,b\nx,1e308\nx,1e308\n', 'VALUE_TOO_LARGE', /too large/],
    ['a NUL character', 'a,b\nx\u0000,1\n', 'CSV_INVALID', /line 2/i],
    ['a measure that is no number', 'a,b\n1,many\n', 'VALUE_NOT_NUMERIC', /line 2/i],
  ];

  const bad = allBad.filter((_bad, n) => runsOn(backend, backends, n));
  it.each(bad)('fails once for %s, saying what to do', async (_what, body, code, message) => {
    const status = await lastStatus(await post(body, 'text/csv', '?groupBy=a&measure=b'));
    expect(status).toMatchObject({ state: 'failed', attempt: 1, error: { code } });
    expect(status.attempts).toHaveLength(1);
    expect(status.error!.message).toMatch(message);
    expect(JSON.stringify(status)).not.toMatch(/\.(js|ts):\d+/);
  });

  itIf(runsOn(backend, backends, 0), 'refuses at once what cannot become a report', async () => {
    const unknown = await post(
      JSON.stringify({ dataset: '../secrets', groupBy: 'a', measure: 'b' }),
      'application/json',
    );
    expect(unknown.status).toBe(400);
    expect(await unknown.text()).toContain('seattle-weather');
    expect((await post('a,b', 'text/csv')).status).toBe(400);
    expect((await post('<a/>', 'application/xml')).status).toBe(415);
    const large = await post(`a,b\n${'1,2\n'.repeat(2_700_000)}`, 'text/csv', '?groupBy=a&measure=b').catch(() => null);
    // The server may hang up on a client that goes on sending.
    if (large) expect(large.status).toBe(413);
    expect(await readdir(join(api.directory, 'reports', 'uploads'))).toEqual([]);
    expect((await fetch(`${api.url}/reports/..%2f..%2fetc/report.pdf`)).status).toBe(404);
    expect((await fetch(`${api.url}/jobs/reports_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11`)).status).toBe(404);
  });

  it('[M3] tells of its health and describes itself', async () => {
    for (const path of ['/health', '/health/ready', '/health/live']) {
      const response = await fetch(api.url + path);
      expect([path, response.status]).toEqual([path, 200]);
      expect(await response.json()).toMatchObject({ status: 'ok', details: { jobs: { status: 'up' } } });
    }
    const document = (await (await fetch(`${api.url}/docs-json`)).json()) as { paths: Record<string, unknown> };
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/reports',
        '/jobs/{id}',
        '/jobs/batch-status',
        '/schedules',
        '/schedules/{name}',
        '/health',
      ]),
    );
    expect((await fetch(`${api.url}/docs`)).status).toBe(200);
  });

  it('[M2] shows its metrics to everyone while it is tried', async () => {
    expect((await fetch(`${api.url}/metrics`)).status).toBe(200);
  });

  const TOKEN = 'a token of the tests';

  const shown = expect.objectContaining({ status: 'up', backend: backend.name });

  /** What it shows without a token, for a wrong one, and for the right one. */
  async function details({ url }: SampleApi): Promise<unknown[]> {
    const asked = ['', 'Bearer wrong', `Bearer ${TOKEN}`].map(async (authorization) => {
      const response = await fetch(`${url}/health`, { headers: { authorization } });
      return ((await response.json()) as { details?: { jobs: unknown } }).details?.jobs;
    });
    return Promise.all(asked);
  }

  it('[M3] shows what its health is made of to everyone', async () => {
    expect(await details(api)).toEqual([shown, shown, shown]);
  });

  const closed: [string, NodeJS.ProcessEnv, unknown[]][] = [
    ['nobody', {}, [undefined, undefined, undefined]],
    ['who sends the admin token', { ADMIN_TOKEN: TOKEN }, [undefined, undefined, shown]],
  ];
  for (const [n, [who, env, answers]] of closed.entries()) {
    itIf(
      runsOn(backend, backends, n),
      `[M2] [M3] closed, it shows its health to ${who}, and no metrics, and stops`,
      async () => {
        const other = await startSampleApi(backend, { HEALTH_DETAILS: 'closed', METRICS_PUBLIC: 'false', ...env });
        expect(await details(other)).toEqual(answers);
        const metrics = await fetch(`${other.url}/metrics`);
        expect(metrics.status).toBe(403);
        expect(await metrics.text()).not.toContain('jobs_');
        await stopsQuietly(other.process);
        await rm(other.directory, { recursive: true, force: true });
      },
    );
  }
});

describe('the sample API from the environment', () => {
  const wrong: [string, NodeJS.ProcessEnv, RegExp][] = [
    ['a JOBS_URL of another kind', { JOBS_URL: 'http://user:s3cret@localhost' }, /JOBS_URL/],
    [
      'production without a backend',
      { NODE_ENV: 'production', WEBHOOK_SECRET: 's'.repeat(32) },
      /connection.*NODE_ENV=production/,
    ],
    ['an empty JOBS_URL', { JOBS_URL: '' }, /JOBS_URL/],
    ['a PORT that is none', { PORT: 'eighty' }, /PORT/],
    ['production without a secret', { NODE_ENV: 'production' }, /WEBHOOK_SECRET must be set/],
    ['a short secret', { WEBHOOK_SECRET: 's3cret' }, /WEBHOOK_SECRET must have at least 32 characters/],
  ];
  // What is read from the environment is refused in one way, whatever is wrong with it.
  it.each(wrong.slice(0, sized(wrong.length, 2)))(
    'does not start with %s, and says why',
    async (_what, env, message) => {
      const child = spawnSampleApi('main', { env: { PORT: '0', ...env } });
      expect(await child.exited).toEqual({ code: 1, signal: null });
      expect(child.stderr.join('\n')).toMatch(message);
      expect(child.output()).not.toContain('s3cret');
    },
  );
});

const servers = backends.filter(({ name }) => name !== 'embedded');

// `describe.each` refuses an empty table, and embedded has but one process.
if (servers.length > 0) {
  describe.each(servers)('the sample API and its worker process on $name', (backend) => {
    itIf(runsOn(backend, servers, 1), '[Q1] [A2] the API answers while the worker process works', async () => {
      const api = await startSampleApi(backend, { JOBS_WORKERS: 'false' });
      const env = { ...sampleEnvironment(backend, api.directory) };
      const worker = spawnSampleApi('worker', { env });
      await worker.waitForLine(/^Sample worker/);
      const response = await fetch(`${api.url}/reports`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ dataset: 'seattle-weather', groupBy: 'weather', measure: 'wind' }),
      });
      const { pollUrl } = (await response.json()) as Accepted;
      const last = (await pollUntilEnded(api.url, pollUrl)).at(-1)!;
      expect(last.state).toBe('succeeded');
      expect((await fetch(api.url + (last.result as Summary).files.pdf)).status).toBe(200);
      await stopsQuietly(worker);
      await stopsQuietly(api.process);
      await rm(api.directory, { recursive: true, force: true });
    });
  });
}

describe('npm run demo', () => {
  it('starts a server when none answers, and shows the report', async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'demo-'));
    const demo = spawnSampleApi('demo/demo', { env: { PORT: '1' }, cwd });
    expect(await demo.exited).toEqual({ code: 0, signal: null });
    const text = demo.stdout.join('\n');
    expect(text).toMatch(/rain/);
    expect(text).toMatch(/RENDERING/);
    expect(await readdir(join(cwd, 'demo-output'))).toHaveLength(2);
    await rm(cwd, { recursive: true, force: true });
  });
});

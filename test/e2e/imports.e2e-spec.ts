import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobStatus, JobTree } from 'nestjs-jobs';
import type { ImportNotice, ImportReport, ImportResult } from '../../apps/sample-api/src/imports/import.payload.js';
import { backends } from '../support/backends.js';
import { spawnSampleApi } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { pollUntilEnded, sampleEnvironment, startSampleApi, type SampleApi } from '../support/sample-api.js';
import { itIf, runsOn, sized } from '../support/test-form.js';

interface Accepted {
  id: string;
  state: string;
  pollUrl: string;
}

const HEADER = 'name,email,amount';

/** Rows 1 to `count`: row n is on line n + 1. */
function rowsOf(count: number, row = (n: number) => `Person ${n},p${n}@example.com,${n}.25`): string[] {
  return Array.from({ length: count }, (_, n) => row(n + 1));
}

function fileOf(rows: readonly string[]): string {
  return `${[HEADER, ...rows].join('\n')}\n`;
}

function send({ url }: SampleApi, body: string | Uint8Array<ArrayBuffer>, type = 'text/csv'): Promise<Response> {
  return fetch(`${url}/imports`, { method: 'POST', body, headers: { 'content-type': type } });
}

async function statusOf({ url }: SampleApi, { pollUrl }: Accepted): Promise<JobStatus> {
  return (await (await fetch(url + pollUrl)).json()) as JobStatus;
}

async function treeOf({ url }: SampleApi, { pollUrl }: Accepted): Promise<JobTree> {
  const response = await fetch(`${url}${pollUrl}/tree`);
  expect(response.status).toBe(200);
  return (await response.json()) as JobTree;
}

/** A tree as its tasks and states, each with what is below it. */
function brief({ task, state, children }: JobTree): unknown {
  const own = `${task.replace('imports.', '')} ${state}`;
  return children.length === 0 ? own : [own, ...children.map(brief)];
}

describe.each(backends)('imports of the sample API on $name', (backend) => {
  let api: SampleApi;
  beforeAll(async () => {
    api = await startSampleApi(backend);
  });
  afterAll(() => api?.stop());

  const post = (body: string | Uint8Array<ArrayBuffer>, type?: string): Promise<Response> => send(api, body, type);

  async function accepted(response: Response): Promise<Accepted> {
    expect(response.status).toBe(202);
    const body = (await response.json()) as Accepted;
    expect(body).toEqual({ id: body.id, state: 'pending', pollUrl: `/jobs/${body.id}` });
    expect(response.headers.get('location')).toBe(body.pollUrl);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    return body;
  }

  async function imported(body: string | Uint8Array<ArrayBuffer>): Promise<{ id: string; result: ImportResult }> {
    const { id, pollUrl } = await accepted(await post(body));
    const last = (await pollUntilEnded(api.url, pollUrl, 50)).at(-1)!;
    expect(last).toMatchObject({ id, task: 'imports.run', state: 'succeeded' });
    return { id, result: last.result as ImportResult };
  }

  const kept = (...path: string[]): Promise<string[]> =>
    readdir(join(api.directory, 'imports', ...path)).catch(() => []);

  it('[A1] [V3] [V8] checks chunks in parallel, merges them in order, tells of it, and answers at once', async () => {
    const wrong = new Map([
      [17, 'Person 17,nowhere,1'],
      [150, ',p150@example.com,1'],
      [151, 'Person 151,p151@example.com,a lot'],
      [640, 'Person 640,p640@example.com'],
    ]);
    const rows = rowsOf(640, (n) => wrong.get(n) ?? `Person ${n},p${n}@example.com,${n}.25`);
    const { id, result } = await imported(fileOf(rows));

    const good = rows.map((_, n) => n + 1).filter((n) => !wrong.has(n));
    const report = {
      rows: 640,
      accepted: 636,
      rejected: 4,
      refused: 0,
      chunks: 7,
      amounts: { total: good.reduce((sum, n) => sum + n * 100 + 25, 0), smallest: 125, largest: 63_925 },
      rejectedRows: [
        { line: 18, reason: 'email "nowhere" is not an address' },
        { line: 151, reason: 'name is empty' },
        { line: 152, reason: 'amount "a lot" is not a number like 1234.56' },
        { line: 641, reason: 'has 2 cells, but the header has 3' },
      ],
      refusedChunks: [],
      refusedChunksLeftOut: 0,
    } satisfies ImportReport;
    const notice = '636 of 640 rows imported, 4 rejected, 0 in chunks that were refused';
    expect(result).toEqual({ ...report, files: { summary: `/imports/${id}/summary.json` }, notice });

    const summary = await fetch(api.url + result.files.summary);
    expect(summary.headers.get('content-type')).toContain('application/json');
    expect(await summary.json()).toEqual(report);
    const written = await readFile(join(api.directory, 'imports', 'notices', `${id}.json`), 'utf8');
    expect(written.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(written)).toEqual({ import: id, text: notice } satisfies ImportNotice);
    expect(await kept('uploads')).toEqual([]);
  });

  it('[V8] a chunk that is refused for good is told of, and no other is lost', async () => {
    const rows = rowsOf(500);
    rows[119] = 'Per"son,p120@example.com,1';
    const bytes = Buffer.from(fileOf(rows));
    bytes[bytes.indexOf('Person 420,')] = 0xff;
    const { id, result } = await imported(new Uint8Array(bytes));
    const good = rows.map((_, n) => n + 1).filter((n) => n <= 100 || (n > 200 && n <= 400));
    expect(result).toMatchObject({
      rows: 500,
      accepted: 300,
      rejected: 0,
      refused: 200,
      amounts: { total: good.reduce((sum, n) => sum + n * 100 + 25, 0), smallest: 125, largest: 40_025 },
      refusedChunks: [
        { line: 102, rows: 100, code: 'CSV_INVALID', message: expect.stringMatching(/^Line 121 has a double quote/) },
        { line: 402, rows: 100, code: 'ENCODING_INVALID', message: expect.stringContaining('line 421 has bytes') },
      ],
    });
    expect(await (await fetch(api.url + result.files.summary)).json()).toMatchObject({ refused: 200 });
    expect(await kept('notices')).toContain(`${id}.json`);
    expect(await kept('uploads')).toEqual([]);
  });

  it('[V9] the tree of an import has its parts, with why a chunk failed', async () => {
    const rows = rowsOf(450);
    rows[219] = 'Per"son,p220@example.com,1';
    const job = await accepted(await post(fileOf(rows)));
    await pollUntilEnded(api.url, job.pollUrl);
    const tree = await treeOf(api, job);
    const checks = ['check succeeded', 'check succeeded', 'check failed', 'check succeeded', 'check succeeded'];
    expect(brief(tree)).toEqual([
      'run succeeded',
      ['finish succeeded', ['merge succeeded', ...checks], 'write-summary succeeded', 'notify succeeded'],
    ]);
    expect(tree.id).toBe(job.id);
    const failed = tree.children[0]!.children[0]!.children[2]!;
    expect(failed).toMatchObject({ attempt: 1, error: { code: 'CSV_INVALID' } });
    const part = await fetch(`${api.url}/jobs/${failed.id}`);
    expect(await part.json()).toMatchObject({ task: 'imports.check', state: 'failed' });
  });

  itIf(runsOn(backend, backends, 1), '[V8] reports no more than the first of many bad rows and chunks', async () => {
    const rows = rowsOf(3_000, (n) => (n % 100 === 50 && n <= 2_500 ? 'x"y,,' : `Person ${n},nowhere,1`));
    const { result } = await imported(fileOf(rows));
    expect(result).toMatchObject({ rows: 3_000, accepted: 0, rejected: 500, refused: 2_500, amounts: null });
    expect(result.rejectedRows).toHaveLength(100);
    expect(result.rejectedRows[0]).toMatchObject({ line: 2_502 });
    expect(result.refusedChunks).toHaveLength(20);
    expect(result.refusedChunksLeftOut).toBe(5);
  });

  itIf(
    runsOn(backend, backends, 1),
    '[V3] takes a file that is larger than a payload may be, and has no more jobs for it than it should',
    async () => {
      const rows = rowsOf(60_000, (n) => `Person number ${n},person-${n}@example.com,0.01`);
      const file = fileOf(rows);
      expect(file.length).toBeGreaterThan(2 * 1024 * 1024);
      const { result } = await imported(file);
      expect(result).toMatchObject({ rows: 60_000, accepted: 60_000, amounts: { total: 60_000 }, chunks: 300 });
      expect(await kept('uploads')).toEqual([]);
    },
  );

  it('[A1] [V3] imports at the same time keep apart', async () => {
    const files = [1, 2, 3, 4, 5].map((n) => fileOf(rowsOf(n * 130, () => `Ada,ada@example.com,${n}`)));
    const all = await Promise.all(files.map(imported));
    expect(new Set(all.map(({ id }) => id)).size).toBe(5);
    for (const [n, { id, result }] of all.entries()) {
      const rows = (n + 1) * 130;
      expect(result).toMatchObject({ accepted: rows, amounts: { total: rows * (n + 1) * 100 } });
      expect(result.files.summary).toContain(id);
    }
  });

  const bad: [string, string | Uint8Array<ArrayBuffer>, RegExp][] = [
    ['an empty body', '', /empty/],
    ['a header without rows', `${HEADER}\n\n`, /no rows/],
    ['a missing column', 'name,amount\nAda,1\n', /no column "email".*name, amount/],
    ['a column twice', 'name,email,amount,name\nAda,a@b.c,1,x\n', /"name" more than once/],
    ['JSON', '{"name":"Ada","email":"a@b.c","amount":1}', /CSV|quote/],
    ['a picture', new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), /UTF-8/],
    ['a spreadsheet', new Uint8Array([0x50, 0x4b, 0x03, 0x04, 0x14, 0x00]), /spreadsheet/],
  ];

  it.each(bad)('[A1] refuses %s at once, saying what to do', async (_what, body, message) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { message: string }).message).toMatch(message);
    expect(await kept('uploads')).toEqual([]);
  });

  itIf(runsOn(backend, backends, 1), '[A1] refuses what is too large, and what is no text/csv', async () => {
    const large = await post(fileOf(rowsOf(1)) + 'x'.repeat(10 * 1024 * 1024));
    expect(large.status).toBe(413);
    expect(await large.text()).toContain('larger than 10 MB');
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=x']) {
      const response = await post('{}', type);
      expect(response.status).toBe(415);
      expect(await response.text()).toContain('text/csv');
    }
    expect(await kept('uploads')).toEqual([]);
  });

  it('has no summary of what is no import', async () => {
    for (const id of ['imports_none', '..', '%2e%2e%2fnotices', 'uploads']) {
      expect((await fetch(`${api.url}/imports/${id}/summary.json`)).status).toBe(404);
    }
  });

  it('[A1] is described', async () => {
    const document = (await (await fetch(`${api.url}/docs-json`)).json()) as { paths: Record<string, object> };
    expect(document.paths['/imports']).toMatchObject({
      post: {
        requestBody: { required: true, content: { 'text/csv': {} } },
        responses: { 202: {}, 400: {}, 413: {}, 415: {}, 503: {} },
      },
    });
    expect(document.paths['/imports/{id}/summary.json']).toMatchObject({ get: { responses: { 200: {}, 404: {} } } });
  });

  // The last one here: its upload stays.
  itIf(
    runsOn(backend, backends, 2),
    '[A6] an import that is cancelled stops, with all its parts, and is not told of',
    async () => {
      const job = await accepted(await post(fileOf(rowsOf(60_000))));
      await eventually(async () => (await statusOf(api, job)).stage?.name === 'CHECKING', {
        timeout: 30_000,
        interval: 5,
      });
      const cancelled = await fetch(api.url + job.pollUrl, { method: 'DELETE' });
      expect(await cancelled.json()).toEqual({ cancelled: true });
      expect((await pollUntilEnded(api.url, job.pollUrl)).at(-1)).toMatchObject({ state: 'cancelled' });
      const states = ({ state, children }: JobTree): string[] => [state, ...children.flatMap(states)];
      const ended = ['succeeded', 'cancelled'];
      await eventually(async () => expect(ended).toEqual(expect.arrayContaining(states(await treeOf(api, job)))));
      expect((await fetch(`${api.url}/imports/${job.id}/summary.json`)).status).toBe(404);
      expect(await kept('notices')).not.toContain(`${job.id}.json`);
    },
  );
});

// A describe without tests may not have hooks.
const killedOn = backends.filter((backend) => runsOn(backend, backends, 1));
describe.each(killedOn)('an import on $name, whose process is killed -9 while chunks are checked', (backend) => {
  const SHORT_LEASE = { JOBS_LEASE_MS: '2000' };
  const started: SampleApi[] = [];
  afterAll(async () => {
    for (const each of started.toReversed()) await each.stop();
  });

  /** A process that takes requests, and a way to kill the one that works and to have another go on. */
  async function start(): Promise<{ api: SampleApi; killAndGoOn: () => Promise<SampleApi> }> {
    const beside = backend.name !== 'embedded';
    const api = await startSampleApi(backend, { ...SHORT_LEASE, ...(beside && { JOBS_WORKERS: 'false' }) });
    started.push(api);
    if (!beside) {
      const killAndGoOn = async (): Promise<SampleApi> => {
        await api.process.kill('SIGKILL');
        const next = await startSampleApi(backend, SHORT_LEASE, api);
        started.push(next);
        return next;
      };
      return { api, killAndGoOn };
    }
    const env = { ...sampleEnvironment(backend, api.directory), ...SHORT_LEASE };
    const worker = spawnSampleApi('worker', { env });
    const killAndGoOn = async (): Promise<SampleApi> => {
      await worker.kill('SIGKILL');
      spawnSampleApi('worker', { env });
      return api;
    };
    return { api, killAndGoOn };
  }

  it('[V3] counts each row once, and is told of once', async () => {
    const { api, killAndGoOn } = await start();
    const rows = sized(40_000, 20_000);
    const sent = await send(api, fileOf(rowsOf(rows, (n) => `Person ${n},p${n}@example.com,0.01`)));
    const job = (await sent.json()) as Accepted;
    // One cheap look at a time: the tree of a large import is slow to read while its chunks are checked.
    await eventually(async () => (await statusOf(api, job)).state === 'blocked', { timeout: 60_000, interval: 5 });
    const left = await killAndGoOn();
    const seen = await pollUntilEnded(left.url, job.pollUrl, 100);
    expect(seen[0]).toMatchObject({ state: 'blocked' });
    const result = { rows, accepted: rows, rejected: 0, refused: 0, amounts: { total: rows } };
    expect(seen.at(-1)).toMatchObject({ state: 'succeeded', result });
    expect(await readdir(join(api.directory, 'imports', 'notices'))).toEqual([`${job.id}.json`]);
    expect(await readdir(join(api.directory, 'imports', 'uploads'))).toEqual([]);
  });
});

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Injectable, type INestApplication } from '@nestjs/common';
import { JobsService, NonRetryableError, Task, task, withContentType, type ResultStore } from 'nestjs-jobs';
import { JobsHttpModule } from 'nestjs-jobs/http';
import request from 'supertest';
import { RESULT_STORES, type ResultStores } from '../../libs/jobs/src/results/open-result-store.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const SIZE = 300_000;
const BYTES = Buffer.alloc(SIZE, '0123456789');

@Injectable()
class Exports {
  @Task()
  csv(): Readable {
    return withContentType(Readable.from([BYTES]), 'text/csv; charset=utf-8');
  }

  @Task()
  json(size: number): { text: string } {
    return { text: 'x'.repeat(size) };
  }

  @Task()
  nothing(): void {}

  @Task()
  page(): Buffer {
    return withContentType(Buffer.from('<script>alert(1)</script>'), 'text/html');
  }

  @Task()
  fails(): void {
    throw new NonRetryableError('no rows', { code: 'NO_ROWS' });
  }
}

describe.each(backends)('GET /jobs/:id/result on $name', (backend) => {
  let directory: string;
  let started: JobsApp;
  let jobs: JobsService;
  let server: ReturnType<INestApplication['getHttpServer']>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'http-results-'));
    started = await startJobsApp({
      backend,
      providers: [Exports],
      imports: [
        JobsHttpModule.forRoot({
          authorize: (_request, job, action) => action !== 'result' || !job.tags.includes('secret'),
        }),
      ],
      options: { results: { store: { files: directory }, keepFor: '1h' } },
    });
    await started.app.listen(0);
    ({ jobs } = started);
    server = started.app.getHttpServer();
  });
  afterAll(async () => {
    await started?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const read = (id: string, headers: Record<string, string> = {}) =>
    request(server).get(`/jobs/${id}/result`).set(headers).buffer(true).parse(asBuffer);

  async function csv(): Promise<string> {
    const job = await jobs.enqueue(task(Exports, 'csv'));
    await job.result();
    return job.id;
  }

  it('[A5] streams what a task returned, with its type, its size and an ETag', async () => {
    const answer = await read(await csv());
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-length': String(SIZE),
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers['etag']).toMatch(/^"[0-9a-f]{64}"$/);
    expect(BYTES.equals(answer.body as Buffer)).toBe(true);
  });

  it('[A5] answers JSON as it is, whether it is in the queue or in the store', async () => {
    for (const size of [3, SIZE]) {
      const job = await jobs.enqueue(task(Exports, 'json'), size);
      await job.result();
      const answer = await request(server).get(`/jobs/${job.id}/result`).expect(200);
      expect(answer.body).toEqual({ text: 'x'.repeat(size) });
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect((await job.status()).resultRef !== undefined).toBe(size === SIZE);
    }
    const nothing = await jobs.enqueue(task(Exports, 'nothing'));
    await nothing.result();
    const answer = await request(server).get(`/jobs/${nothing.id}/result`).expect(200);
    expect(answer.body).toBeNull();
  });

  it('[A5] answers a part of it, and 416 for one that it does not have', async () => {
    const id = await csv();
    for (const [range, start, end] of [
      ['bytes=0-9', 0, 9],
      ['bytes=100000-', 100_000, SIZE - 1],
      ['bytes=-5', SIZE - 5, SIZE - 1],
      [`bytes=65530-${SIZE + 10}`, 65_530, SIZE - 1],
    ] as const) {
      const answer = await read(id, { Range: range });
      expect([range, answer.status, answer.headers['content-range']]).toEqual([
        range,
        206,
        `bytes ${start}-${end}/${SIZE}`,
      ]);
      expect(BYTES.subarray(start, end + 1).equals(answer.body as Buffer)).toBe(true);
    }
    const beyond = await read(id, { Range: `bytes=${SIZE}-` });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${SIZE}`]);
    for (const ignored of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=x']) {
      expect((await read(id, { Range: ignored })).status).toBe(200);
    }
  });

  it('[A5] has clients go on with what has not changed, and says when they have all of it', async () => {
    const id = await csv();
    const etag = (await read(id)).headers['etag']!;
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await read(id, { 'If-None-Match': known });
      expect([answer.status, (answer.body as Buffer).length]).toEqual([304, 0]);
    }
    expect((await read(id, { 'If-None-Match': '"other"' })).status).toBe(200);
    expect((await read(id, { Range: 'bytes=0-1', 'If-Range': etag })).status).toBe(206);
    expect((await read(id, { Range: 'bytes=0-1', 'If-Range': '"other"' })).status).toBe(200);
    const head = await request(server).head(`/jobs/${id}/result`);
    expect([head.status, head.headers['content-length'], head.headers['etag']]).toEqual([200, String(SIZE), etag]);
  });

  it('[A5] does not let a browser run what a task returned', async () => {
    const job = await jobs.enqueue(task(Exports, 'page'));
    await job.result();
    const { headers } = await read(job.id);
    expect(headers['content-disposition']).toBe(`attachment; filename="${job.id}"`);
    expect(headers['content-security-policy']).toContain('sandbox');
  });

  it('[A5] answers 409 before the end, 422 without a result, and 404 for what never was', async () => {
    const waiting = await jobs.enqueue(task(Exports, 'csv'), undefined, { delay: '1h' });
    const early = await request(server).get(`/jobs/${waiting.id}/result`).expect(409);
    expect(early.body).toMatchObject({ state: 'scheduled' });
    await waiting.cancel({ reason: 'not wanted' });
    const cancelled = await request(server).get(`/jobs/${waiting.id}/result`).expect(422);
    expect(cancelled.body).toMatchObject({ state: 'cancelled', reason: 'not wanted' });
    const failing = await jobs.enqueue(task(Exports, 'fails'));
    await failing.result().catch(() => {});
    const failed = await request(server).get(`/jobs/${failing.id}/result`).expect(422);
    expect(failed.body).toMatchObject({ state: 'failed', error: { message: 'no rows', code: 'NO_ROWS' } });
    expect(JSON.stringify(failed.body)).not.toContain('stack');
    await request(server).get('/jobs/default_nothing/result').expect(404);
  });

  it('[A5] [C6] answers 410 when it is not kept any more: the result, or the job', async () => {
    const id = await csv();
    await rm(join(directory, ...(await jobs.job(id).status()).resultRef!.ref.split('/')));
    await request(server).get(`/jobs/${id}/result`).expect(410);
    // Made two hours ago, says its id.
    const time = (Date.now() - 2 * 3_600_000).toString(16).padStart(12, '0');
    const old = `default_${time.slice(0, 8)}-${time.slice(8)}-7abc-8def-0123456789ab`;
    await request(server).get(`/jobs/${old}/result`).expect(410);
  });

  it('[A5] asks whether the client may', async () => {
    const job = await jobs.enqueue(task(Exports, 'csv'), undefined, { tags: ['secret'] });
    await job.result();
    await request(server).get(`/jobs/${job.id}/result`).expect(403);
    await request(server).get(`/jobs/${job.id}`).expect(200);
  });

  it('[A5] lets go of the store when the client leaves', async () => {
    const stores = started.app.get<ResultStores>(RESULT_STORES, { strict: false });
    const opened: Readable[] = [];
    const own = stores.in.bind(stores);
    stores.in = (home) => {
      const store: ResultStore = own(home);
      const readAny = store.read.bind(store);
      store.read = async (...args) => {
        const body = await readAny(...args);
        opened.push(body!);
        return body;
      };
      return store;
    };
    try {
      const id = await csv();
      const { port } = server.address() as AddressInfo;
      const answer = await new Promise<IncomingMessage>((resolve) =>
        get(`http://127.0.0.1:${port}/jobs/${id}/result`, resolve),
      );
      expect(answer.statusCode).toBe(200);
      answer.destroy();
      await eventually(() => opened.length === 1 && opened[0]!.destroyed);
    } finally {
      stores.in = own;
    }
  });

  it('[A5] keeps the files from other users of the machine', async () => {
    await csv();
    const [home] = await readdir(directory);
    expect((await stat(join(directory, home!))).mode & 0o077).toBe(0);
  });
});

function asBuffer(response: request.Response, done: (error: Error | null, body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  const stream = response as unknown as Readable;
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.once('end', () => done(null, Buffer.concat(chunks)));
  stream.once('error', (error) => done(error, Buffer.alloc(0)));
}

import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { JobsModule, JobsService, Task, task, type ResultReference, type ResultStore } from 'nestjs-jobs';
import { JobsHttpModule } from 'nestjs-jobs/http';
import request from 'supertest';
import { ownNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { httpServers } from '../support/http-servers.js';
import { signal } from '../support/signals.js';

const SIZE = 200_000;

@Injectable()
class Exports {
  @Task({ retry: { attempts: 1 } })
  bytes(): Buffer {
    return Buffer.alloc(SIZE, 'a');
  }
}

/** Gives whatever a test wants in the place of what was written. */
class OddStore implements ResultStore {
  readonly reads: string[] = [];
  readonly bodies: Readable[] = [];
  answer: (whole: Buffer) => Readable | undefined = (whole) => Readable.from([whole]);
  private readonly kept = new Map<string, Buffer>();

  async write(key: string, body: Readable): ReturnType<ResultStore['write']> {
    const bytes = await buffer(body);
    this.kept.set(key, bytes);
    return { size: bytes.length, sha256: '0'.repeat(64) };
  }

  async read(key: string): Promise<Readable | undefined> {
    this.reads.push(key);
    const body = this.answer(this.kept.get(key) ?? Buffer.alloc(0));
    if (body) this.bodies.push(body);
    return body;
  }

  async remove(): Promise<void> {}

  async list(): ReturnType<ResultStore['list']> {
    return { results: [] };
  }
}

describe.each(httpServers)('GET /jobs/:id/result of odd stores on $name', ({ backend, create }) => {
  let app: INestApplication;
  let jobs: JobsService;
  let store: OddStore;
  let id: string;
  let path: string;

  beforeEach(async () => {
    store = new OddStore();
    const module = await Test.createTestingModule({
      providers: [Exports],
      imports: [
        JobsModule.forRoot({
          connection: backend.connection(),
          namespace: ownNamespace(backend),
          results: { store, inlineLimit: 2_048 },
        }),
        JobsHttpModule.forRoot({ authorize: () => true }),
      ],
    }).compile();
    app = create(module);
    await app.listen(0);
    jobs = app.get(JobsService);
    const job = await jobs.enqueue(task(Exports, 'bytes'));
    await job.result();
    ({ id } = job);
    path = `/jobs/${id}/result`;
  });
  afterEach(() => app?.close());

  /** How much of an answer came, if all of it did. */
  async function readAll(headers: Record<string, string> = {}): Promise<number | 'broken off'> {
    const { port } = app.getHttpServer().address() as AddressInfo;
    const answer = new Promise<IncomingMessage>((resolve, reject) =>
      get({ port, path, headers, agent: false }, resolve).once('error', reject),
    );
    return answer.then(buffer).then(
      ({ length }) => length,
      () => 'broken off',
    );
  }

  it('[A5] [X2] breaks off where the store has more or fewer bytes than were written', async () => {
    expect(await readAll()).toBe(SIZE);
    for (const size of [SIZE - 1, SIZE + 1, 2 * SIZE]) {
      store.answer = () => Readable.from([Buffer.alloc(1_000), Buffer.alloc(size - 1_000)]);
      expect([size, await readAll()]).toEqual([size, 'broken off']);
      const result = await jobs.job(id).result();
      await expect((result as { bytes(): Promise<Buffer> }).bytes()).rejects.toMatchObject({
        name: 'ResultStoreError',
      });
    }
    // It gives all, whatever is asked for.
    store.answer = (whole) => Readable.from([whole]);
    expect(await readAll({ Range: 'bytes=0-9' })).toBe('broken off');
  });

  it('[A5] has a store that fails half-way be what a reader is told', async () => {
    store.answer = () =>
      Readable.from(
        (async function* () {
          yield Buffer.alloc(1_000);
          throw new Error('connection lost');
        })(),
      );
    expect(await readAll()).toBe('broken off');
    const result = (await jobs.job(id).result()) as { bytes(): Promise<Buffer> };
    await expect(result.bytes()).rejects.toMatchObject({
      name: 'ResultStoreError',
      cause: { message: 'connection lost' },
    });
  });

  it('[A5] says to HEAD what it says to GET, and lets go of the store', async () => {
    const whole = await request(app.getHttpServer()).head(path).set('Range', 'bytes=0-9');
    expect([whole.status, whole.headers['content-length']]).toEqual([200, String(SIZE)]);
    await eventually(() => store.bodies.every(({ destroyed }) => destroyed));
    store.answer = () => undefined;
    await request(app.getHttpServer()).get(path).expect(410);
    await request(app.getHttpServer()).head(path).expect(410);
  });

  it('[A5] lets go of the store when somebody else has answered meanwhile', async () => {
    const reading = signal();
    const { prototype } = OddStore;
    store.read = async (key) => {
      await reading.reached;
      return prototype.read.call(store, key);
    };
    const server = app.getHttpServer() as import('node:http').Server;
    server.prependOnceListener('request', (_request, response) => {
      setImmediate(() => {
        response.writeHead(503).end();
        reading.reach();
      });
    });
    expect((await request(server).get(path)).status).toBe(503);
    await eventually(() => store.bodies.length === 1 && store.bodies[0]!.destroyed);
  });

  it('[A5] [X2] is asked in vain for what the store said is not what it was given', async () => {
    const write = store.write.bind(store);
    for (const [odd, says] of [
      [{ size: SIZE - 1 }, `it says that it has kept ${SIZE - 1} bytes of ${SIZE}`],
      [{ sha256: 'no\r\nheader: at all' }, 'it says that their SHA-256 is'],
    ] as const) {
      store.write = async (...args) => ({ ...(await write(...args)), ...odd });
      const job = await jobs.enqueue(task(Exports, 'bytes'));
      await expect(job.result()).rejects.toMatchObject({
        error: { name: 'ResultStoreError', message: expect.stringContaining(says) },
      });
    }
  });

  it('[A5] asks the store for no key that cannot be that of a result', async () => {
    const home = '0123456789abcdef';
    for (const key of ['../../etc/passwd', 'default/../x', 'default/default_1/..', 'a/b/c/d', 'default/x']) {
      const reference: ResultReference = { ref: `${home}/${key}`, size: 1, contentType: 'a/b', sha256: '' };
      await expect(jobs.results.open(reference).bytes()).rejects.toMatchObject({ name: 'ResultGoneError' });
    }
    expect(store.reads).toEqual([]);
  });
});

import {
  Body,
  Controller,
  Injectable,
  Post,
  RequestMethod,
  VersioningType,
  type INestApplication,
} from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { Idempotent, JobsModule, JobsRunner, JobsService, Task, task, type JobStatus } from 'nestjs-jobs';
import { JobsHealthModule } from 'nestjs-jobs/health';
import { accepted, JobsHttpModule, type AcceptedJob, type JobsHttpOptions } from 'nestjs-jobs/http';
import request from 'supertest';
import { uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { HealthController } from '../support/health.controller.js';
import { httpServers, type HttpServer } from '../support/http-servers.js';

@Injectable()
class Shouter {
  @Task()
  shout(text: string): string {
    if (text === '') throw new Error('nothing to shout');
    return text.toUpperCase();
  }

  @Task({ retry: { attempts: 1 } })
  shoutOnce(text: string): string {
    return this.shout(text);
  }
}

@Controller('shouts')
class ShoutsController {
  constructor(private readonly jobs: JobsService) {}

  @Post()
  async shout(@Body() body: { text: string; delay?: number }): Promise<AcceptedJob> {
    const options = body.delay === undefined ? {} : { delay: body.delay };
    return accepted(await this.jobs.enqueue(task(Shouter, 'shout'), body.text, options));
  }

  @Post('once-only')
  async tryOnce(@Body() body: { text: string }): Promise<AcceptedJob> {
    return accepted(await this.jobs.enqueue(task(Shouter, 'shoutOnce'), body.text));
  }

  @Post('once')
  @Idempotent({ key: (_body, { headers }) => headers['idempotency-key'] })
  once(@Body() body: { text: string; delay?: number }): Promise<AcceptedJob> {
    return this.shout(body);
  }
}

interface Server {
  app: INestApplication;
  http: ReturnType<typeof request>;
}

async function serve(
  { backend, create }: HttpServer,
  options?: JobsHttpOptions,
  configure: (app: INestApplication) => void = () => {},
): Promise<Server> {
  const module = await Test.createTestingModule({
    providers: [Shouter],
    controllers: [ShoutsController, HealthController],
    imports: [
      TerminusModule.forRoot({ logger: false }),
      JobsHealthModule,
      JobsHttpModule.forRoot(options),
      JobsModule.forRoot({ connection: backend.connection()!, namespace: uniqueNamespace() }),
    ],
  }).compile();
  const app = create(module);
  configure(app);
  await app.listen(0, '127.0.0.1');
  return { app, http: request(await app.getUrl()) };
}

const ABSENT = 'default_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11';

describe.each(httpServers)('HTTP on $name', (platform) => {
  const { backend } = platform;

  describe('by default', () => {
    let server: Server;
    beforeAll(async () => {
      server = await serve(platform);
    });
    afterAll(() => server.app.close());

    it('[A1] answers at once with the id, where to poll and when', async () => {
      const response = await server.http.post('/shouts').send({ text: 'hello' }).expect(202);
      const { id } = response.body;
      expect(response.body).toEqual({ id, state: 'pending', pollUrl: `/jobs/${id}` });
      expect(response.headers['location']).toBe(`/jobs/${id}`);
      expect(response.headers['retry-after']).toBe('1');
    });

    it('[A1] says of a delayed job that it is scheduled, and to come back when it is due', async () => {
      const response = await server.http.post('/shouts').send({ text: 'hello', delay: 90_000 }).expect(202);
      expect(response.body.state).toBe('scheduled');
      expect(response.headers['retry-after']).toBe('90');
    });

    it.each([{}, { delay: 90_000 }])('[A1] [I1] answers a repeated request with the same job: %j', async (options) => {
      const key = JSON.stringify(options);
      const once = () =>
        server.http
          .post('/shouts/once')
          .set('idempotency-key', key)
          .send({ text: 'hello', ...options });
      const first = await once().expect(202);
      const again = await once().expect(202);
      expect(first.body.pollUrl).toBe(`/jobs/${first.body.id}`);
      expect(again.body).toEqual(first.body);
      expect(again.headers['location']).toBe(first.headers['location']);
      const waits = [first, again].map(({ headers }) => Number(headers['retry-after']));
      expect(waits[1]).toBeGreaterThan(0);
      expect(waits[1]).toBeLessThanOrEqual(waits[0]!);
    });

    it('[A2] shows a job until it has ended, with its result', async () => {
      const { body } = await server.http.post('/shouts').send({ text: 'hello' });
      await eventually(async () => {
        const { body: status } = await server.http.get(body.pollUrl).expect(200);
        expect(status).toMatchObject({ id: body.id, state: 'succeeded', result: 'HELLO', terminal: true });
      });
    });

    it('[A2] shows what a job failed with, without a stack', async () => {
      const { body } = await server.http.post('/shouts').send({ text: '' });
      await eventually(async () => {
        const { body: status, text } = await server.http.get(body.pollUrl).expect(200);
        expect(status.attempts[0].error).toEqual({ name: 'Error', message: 'nothing to shout' });
        expect(text).not.toContain('.ts');
      });
    });

    it.each([ABSENT, 'nonsense', 'other_1', '..%2f..%2fetc'])('[A2] answers 404 for %s', async (id) => {
      const { body } = await server.http.get(`/jobs/${id}`).expect(404);
      expect(Object.keys(body).sort()).toEqual(['error', 'message', 'statusCode']);
    });

    it('[A3] reads up to a hundred jobs in one request', async () => {
      const { body } = await server.http.post('/shouts').send({ text: 'batch' });
      const batch = (ids: unknown): request.Test => server.http.post('/jobs/batch-status').send({ ids });
      await eventually(async () => {
        const { body: found } = await batch([body.id, ABSENT]).expect(200);
        expect(found).toEqual({ jobs: { [body.id]: expect.objectContaining({ result: 'BATCH' }), [ABSENT]: null } });
      });
      await batch(Array(100).fill(ABSENT)).expect(200);
      for (const ids of [Array(101).fill(ABSENT), [], 'x', [1], undefined]) await batch(ids).expect(400);
    });

    it('cancels nothing while nobody decides who may', async () => {
      const { body } = await server.http.post('/shouts').send({ text: 'safe', delay: 60_000 });
      for (const id of [body.id, ABSENT]) await server.http.delete(`/jobs/${id}`).expect(403);
      const { body: status } = await server.http.get(body.pollUrl);
      expect(status.state).toBe('scheduled');
    });

    it('[M3] is healthy while it works, and says why when it does not', async () => {
      const { body } = await server.http.get('/health').expect(200);
      expect(body.info).toEqual({
        jobs: { status: 'up', backend: backend.name, working: ['default', 'jobs-internal'], watchdogRestarts: 0 },
      });
      const draining = await serve(platform);
      await draining.app.get(JobsRunner).drain();
      const { body: unhealthy } = await draining.http.get('/health').expect(503);
      expect(unhealthy.error.jobs).toEqual({
        status: 'down',
        backend: backend.name,
        reasons: ['this process is shutting down'],
        problems: [{ kind: 'draining', status: 'down', message: 'this process is shutting down' }],
        watchdogRestarts: 0,
      });
      await draining.app.close();
    });

    it('is described by Swagger', () => {
      const document = SwaggerModule.createDocument(server.app, new DocumentBuilder().build());
      const paths = document.paths;
      expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/jobs/{id}', '/jobs/batch-status']));
      expect(paths['/jobs/{id}']!.get!.tags).toEqual(['jobs']);
      const names = (path: string): string[] =>
        (paths[path]!.get!.parameters as { name: string }[]).map(({ name }) => name);
      expect(names('/jobs/{id}')).toEqual(['id', 'wait', 'If-None-Match']);
      expect(names('/jobs/{id}/events')).toEqual(['id', 'Last-Event-ID']);
      expect(names('/jobs')).toEqual(['task', 'state', 'tag', 'queue', 'limit', 'cursor']);
      const json = (schema: object): object => ({ content: { 'application/json': { schema } } });
      expect(paths['/jobs/{id}']!.get!.responses['200']).toMatchObject(
        json({ properties: { state: { enum: expect.any(Array) }, position: { type: 'integer' } } }),
      );
      expect(paths['/jobs']!.get!.responses['200']).toMatchObject(
        json({ properties: { jobs: { type: 'array' }, cursor: { type: 'string' } } }),
      );
      expect(paths['/jobs/{id}/events']!.get!.responses['200']).toMatchObject({
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      });
      expect(paths['/jobs/{id}/redrive']!.post!.responses['202']).toMatchObject(
        json({ required: ['id', 'state', 'pollUrl'] }),
      );
      expect(paths['/jobs/batch-status']!.post!.requestBody).toMatchObject(json({ required: ['ids'] }));
    });

    it.each([
      ['get', '/jobs', ['200', '400', '403']],
      ['get', '/jobs/{id}', ['200', '304', '400', '404']],
      ['get', '/jobs/{id}/events', ['200', '204', '403', '404']],
      ['get', '/jobs/{id}/tree', ['200', '403', '404']],
      ['post', '/jobs/{id}/redrive', ['202', '403', '404', '409']],
      ['post', '/jobs/batch-status', ['200', '400']],
      ['delete', '/jobs/{id}', ['202', '403', '404']],
    ] as const)('describes every answer of %s %s', (method, path, statuses) => {
      const document = SwaggerModule.createDocument(server.app, new DocumentBuilder().build());
      const { responses } = document.paths[path]![method]!;
      expect(Object.keys(responses)).toEqual([...statuses, '503']);
      for (const status of statuses.slice(1))
        expect(responses[status]).toMatchObject({ description: expect.any(String) });
    });

    it('lists and redrives nothing while nobody decides who may', async () => {
      await server.http.get('/jobs').expect(403);
      await server.http.get('/jobs?state=nonsense').expect(403);
      await server.http.post(`/jobs/${ABSENT}/redrive`).expect(403);
    });
  });

  describe('with authorize', () => {
    let server: Server;
    const authorize = (req: unknown, job: JobStatus, action: string): boolean => {
      const user = (req as { headers: Record<string, string> }).headers['x-user'];
      if (user === 'lister') return action === 'list' && job.tags.length === 0;
      return user === 'admin' || (user === 'reader' && action === 'read' && job.task === 'Shouter.shout');
    };
    beforeAll(async () => {
      server = await serve(platform, { authorize });
    });
    afterAll(() => server.app.close());

    it('lets it decide who reads and who cancels', async () => {
      const { body } = await server.http.post('/shouts').send({ text: 'mine', delay: 60_000 });
      await server.http.get(body.pollUrl).expect(404);
      await server.http.get(body.pollUrl).set('x-user', 'reader').expect(200);
      const batch = await server.http.post('/jobs/batch-status').send({ ids: [body.id] });
      expect(batch.body).toEqual({ jobs: { [body.id]: null } });
      await server.http.delete(body.pollUrl).set('x-user', 'reader').expect(403);
      const first = await server.http.delete(body.pollUrl).set('x-user', 'admin').expect(202);
      expect(first.body).toEqual({ cancelled: true });
      const { body: status } = await server.http.get(body.pollUrl).set('x-user', 'admin');
      expect(status.state).toBe('cancelled');
      await server.http.delete(`/jobs/${ABSENT}`).set('x-user', 'admin').expect(404);
    });

    const asAdmin = (test: request.Test): request.Test => test.set('x-user', 'admin');

    it('[A2] lists the jobs that fit, as far as each may be seen', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 5; n++) {
        const { body } = await server.http.post('/shouts').send({ text: `listed ${n}`, delay: 3_600_000 });
        ids.unshift(body.id);
      }
      const list = (query: string): request.Test => asAdmin(server.http.get(`/jobs?queue=default&${query}`));
      const idsOf = ({ body }: request.Response): string[] => body.jobs.map(({ id }: JobStatus) => id);
      const all = await list('state=scheduled,retrying&task=Shouter.*').expect(200);
      expect(idsOf(all).slice(0, 5)).toEqual(ids);
      const first = await list('state=scheduled&limit=3').expect(200);
      expect(idsOf(first)).toEqual(ids.slice(0, 3));
      const rest = await list(`state=scheduled&limit=2&cursor=${first.body.cursor}`).expect(200);
      expect(idsOf(rest)).toEqual(ids.slice(3));
      expect(idsOf(await list('state=failed&state=running'))).toEqual([]);
      expect(idsOf(await list('tag=none'))).toEqual([]);
      const seen = await server.http.get('/jobs?state=scheduled').set('x-user', 'lister').expect(200);
      expect(idsOf(seen)).toEqual(idsOf(await list('state=scheduled')));
      const denied = await server.http.get('/jobs?state=scheduled').set('x-user', 'reader').expect(200);
      expect(denied.body).toEqual({ jobs: [] });
    });

    it.each([
      'state=done',
      'state=',
      'limit=0',
      'limit=1e1',
      'limit=101',
      'queue=other',
      'task=a&task=b',
      'cursor=x',
      'tag=',
    ])('[A2] refuses a list with %s', async (query) => {
      const { body } = await asAdmin(server.http.get(`/jobs?${query}`)).expect(400);
      expect(body.message).toContain(query.slice(0, query.indexOf('=')));
    });

    it('[R4] does a failed job again, once', async () => {
      const { body } = await server.http.post('/shouts').send({ text: '' });
      const read = async (id: string): Promise<JobStatus> => (await asAdmin(server.http.get(`/jobs/${id}`))).body;
      await asAdmin(server.http.post(`/jobs/${body.id}/redrive`)).expect(409);
      await asAdmin(server.http.delete(body.pollUrl)).expect(202);
      await eventually(async () => (await read(body.id)).terminal);
      const failing = (await server.http.post('/shouts/once-only').send({ text: '' }).expect(202)).body.id;
      await eventually(async () => (await read(failing)).state === 'failed');
      const first = await asAdmin(server.http.post(`/jobs/${failing}/redrive`)).expect(202);
      const again = await asAdmin(server.http.post(`/jobs/${failing}/redrive`)).expect(202);
      expect(first.body.id).not.toBe(failing);
      expect(again.body.id).toBe(first.body.id);
      expect(first.headers['location']).toBe(first.body.pollUrl);
      expect(await read(first.body.id)).toMatchObject({ redriveOf: failing });
      await asAdmin(server.http.post(`/jobs/${ABSENT}/redrive`)).expect(404);
      await server.http.post(`/jobs/${failing}/redrive`).set('x-user', 'reader').expect(403);
    });

    it('answers false when there is nothing left to cancel', async () => {
      const { body } = await server.http.post('/shouts').send({ text: 'done' });
      await eventually(async () => {
        const { body: status } = await server.http.get(body.pollUrl).set('x-user', 'admin');
        expect(status.terminal).toBe(true);
      });
      const { body: answer } = await server.http.delete(body.pollUrl).set('x-user', 'admin').expect(202);
      expect(answer).toEqual({ cancelled: false });
    });
  });

  it('[A1] honours global prefix and versioning in the url it gives', async () => {
    const { app, http } = await serve(platform, {}, (each) => {
      each.setGlobalPrefix('api');
      each.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    });
    const { body } = await http.post('/api/v1/shouts').send({ text: 'hi' }).expect(202);
    expect(body.pollUrl).toBe(`/api/jobs/${body.id}`);
    await http.get(body.pollUrl).expect(200);
    await app.close();
  });

  it('[A1] honours what the prefix excludes', async () => {
    const { app, http } = await serve(platform, {}, (each) => {
      each.setGlobalPrefix('api', { exclude: [{ path: 'jobs/:id', method: RequestMethod.GET }] });
    });
    const { body } = await http.post('/api/shouts').send({ text: 'hi' }).expect(202);
    expect(body.pollUrl).toBe(`/jobs/${body.id}`);
    await http.get(body.pollUrl).expect(200);
    await app.close();
  });
});

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
}

@Controller('shouts')
class ShoutsController {
  constructor(private readonly jobs: JobsService) {}

  @Post()
  async shout(@Body() body: { text: string; delay?: number }): Promise<AcceptedJob> {
    const options = body.delay === undefined ? {} : { delay: body.delay };
    return accepted(await this.jobs.enqueue(task(Shouter, 'shout'), body.text, options));
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
        watchdogRestarts: 0,
      });
      await draining.app.close();
    });

    it('is described by Swagger', () => {
      const document = SwaggerModule.createDocument(server.app, new DocumentBuilder().build());
      const paths = document.paths;
      expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/jobs/{id}', '/jobs/batch-status']));
      expect(paths['/jobs/{id}']!.get!.tags).toEqual(['jobs']);
      expect(paths['/jobs/{id}']!.get!.parameters).toHaveLength(1);
      expect(paths['/jobs/{id}']!.get!.responses['200']).toMatchObject({
        content: { 'application/json': { schema: { properties: { state: { enum: expect.any(Array) } } } } },
      });
      expect(paths['/jobs/batch-status']!.post!.requestBody).toMatchObject({
        content: { 'application/json': { schema: { required: ['ids'] } } },
      });
      expect(Object.keys(paths['/jobs/{id}']!.delete!.responses)).toEqual(['202', '403', '404']);
    });
  });

  describe('with authorize', () => {
    let server: Server;
    const authorize = (req: unknown, job: JobStatus, action: string): boolean => {
      const user = (req as { headers: Record<string, string> }).headers['x-user'];
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

import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { BackendUnavailableError, ResultTimeoutError, Task, task } from 'nestjs-jobs';
import { JobsHealthIndicator, JobsHealthModule } from 'nestjs-jobs/health';
import { accepted } from 'nestjs-jobs/http';
import { backends, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp, type JobsAppSettings } from '../support/jobs-app.js';
import { Load } from '../support/load.js';
import { ownServers, type OwnServer } from '../support/own-servers.js';
import { freePort } from '../support/services/free-port.mjs';
import { sized } from '../support/test-form.js';

@Injectable()
class Echo {
  static ran: string[] = [];

  @Task()
  echo(text: string): string {
    Echo.ran.push(text);
    return text;
  }
}

// `describe.each` refuses an empty table: embedded has no server that could be away.
if (ownServers.length > 0) {
  describe.each(ownServers)('$name away', ({ name, start, url }) => {
    const at = (port: number): TestBackend => ({ name, connection: () => url(port) });

    function startApp(port: number, imports: NonNullable<JobsAppSettings['imports']> = []): Promise<JobsApp> {
      // A short lease: a job whose fetch was not answered is nobody's until the lease is over.
      const options = { connectTimeout: '500ms', lease: '2s' };
      return startJobsApp({ backend: at(port), providers: [Echo], imports, options });
    }

    let server: OwnServer;

    beforeAll(async () => {
      server = await start();
    });
    beforeEach(() => (Echo.ran = []));
    afterAll(() => server.stop());

    it('[C9] at boot: the app starts, enqueue fails fast and leaves nothing behind, workers join when it comes', async () => {
      const port = await freePort();
      const { jobs, close } = await startApp(port);
      await expect(jobs.enqueue(task(Echo, 'echo'), 'refused')).rejects.toThrow(BackendUnavailableError);
      const late = await start(port);
      const job = await eventually(() => jobs.enqueue(task(Echo, 'echo'), 'accepted'));
      expect(await job.result()).toBe('accepted');
      // An enqueue that was not answered in time may have been done all the same; one that was refused was not.
      expect([...new Set(Echo.ran)]).toEqual(['accepted']);
      await close();
      await late.stop();
    });

    it('[C9] while a result is waited for: the wait goes on, and ends with the result or a typed error', async () => {
      const { jobs, close } = await startApp(server.port);
      const job = await jobs.enqueue(task(Echo, 'echo'), 'later', { delay: 1_500 });
      await expect(job.result({ timeout: 100 })).rejects.toThrow(ResultTimeoutError);
      const result = job.result({ timeout: '1m' });
      await server.kill();
      await expect(job.result({ timeout: 300 })).rejects.toThrow(BackendUnavailableError);
      await expect(job.status()).rejects.toThrow(BackendUnavailableError);
      await server.restart();
      expect(await result).toBe('later');
      await close();
    });

    it('[C8] at shutdown: the app closes all the same', async () => {
      const { jobs, close } = await startApp(server.port);
      const job = await jobs.enqueue(task(Echo, 'echo'), 'x');
      expect(await job.result()).toBe('x');
      await server.kill();
      await close();
      await server.restart();
    });

    it('[C9] killed and restarted under load: nothing acknowledged is lost, and health tells the truth', async () => {
      const { app, jobs, close } = await startApp(server.port, [JobsHealthModule]);
      const health = app.get(JobsHealthIndicator, { strict: false });
      const status = async (): Promise<unknown> => (await health.isHealthy('jobs'))['jobs']?.status;
      const load = new Load((n) => jobs.enqueue(task(Echo, 'echo'), String(n)));
      for (let round = 0; round < sized(3, 1); round++) {
        await load.untilAcknowledged(100);
        await eventually(async () => expect(await status()).toBe('up'));
        await server.kill();
        expect(await status()).toBe('down');
        await server.restart();
        await eventually(async () => expect(await status()).toBe('up'), { timeout: 30_000 });
      }
      await load.untilAcknowledged(100);
      const acknowledged = await load.stop();
      const results = await Promise.all(acknowledged.map(({ job }) => job.result({ timeout: '1m' })));
      expect(results).toEqual(acknowledged.map(({ n }) => String(n)));
      await close();
    });
  });
}

describe.each(backends)('a handle on $name', (backend) => {
  it('shows nothing of what stands behind it when it is serialized or logged', async () => {
    const { jobs, close } = await startJobsApp({ backend, providers: [Echo], options: { workers: false } });
    const job = await jobs.enqueue(task(Echo, 'echo'), 'x');
    for (const value of [job, { data: job }, [job], jobs.job(job.id)]) {
      expect(JSON.stringify(value)).not.toMatch(/redis|backend|options|queue/i);
      expect(inspect(value, { depth: 10 })).not.toMatch(/redis|backend|options|queue/i);
    }
    expect(JSON.parse(JSON.stringify({ data: accepted(job) }))).toEqual({ data: { id: job.id, state: 'pending' } });
    await close();
  });
});

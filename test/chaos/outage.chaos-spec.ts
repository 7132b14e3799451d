import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { BackendUnavailableError, ResultTimeoutError, Task, task } from 'nestjs-jobs';
import { accepted } from 'nestjs-jobs/http';
import { backends, type TestBackend } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp } from '../support/jobs-app.js';
import { freePort } from '../support/services/free-port.mjs';
import { startRedis } from '../support/services/redis.mjs';

@Injectable()
class Echo {
  static ran: string[] = [];

  @Task()
  echo(text: string): string {
    Echo.ran.push(text);
    return text;
  }
}

function redisAt(port: number): TestBackend {
  return { name: 'redis', connection: () => `redis://127.0.0.1:${port}` };
}

const describeRedis = (tests: () => void): void => {
  // A run for another backend has nothing to do here.
  if (backends.some(({ name }) => name === 'redis')) describe('Redis away', tests);
};

describeRedis(() => {
  beforeEach(() => (Echo.ran = []));

  it('[C9] at boot: the app starts, enqueue fails fast and leaves nothing behind, workers join when it comes', async () => {
    const port = await freePort();
    const { jobs, close } = await startJobsApp({
      backend: redisAt(port),
      providers: [Echo],
      options: { connectTimeout: '500ms' },
    });
    await expect(jobs.enqueue(task(Echo, 'echo'), 'refused')).rejects.toThrow(BackendUnavailableError);
    const redis = await startRedis({ port });
    const job = await eventually(() => jobs.enqueue(task(Echo, 'echo'), 'accepted'));
    expect(await job.result()).toBe('accepted');
    expect(Echo.ran).toEqual(['accepted']);
    await close();
    await redis.stop();
  });

  it('[C9] while a result is waited for: the wait goes on, and ends with the result or a typed error', async () => {
    const redis = await startRedis({ appendonly: true });
    const { jobs, close } = await startJobsApp({
      backend: redisAt(redis.port),
      providers: [Echo],
      options: { connectTimeout: '500ms' },
    });
    const job = await jobs.enqueue(task(Echo, 'echo'), 'later', { delay: 1_500 });
    await expect(job.result({ timeout: 100 })).rejects.toThrow(ResultTimeoutError);
    const result = job.result({ timeout: '1m' });
    await redis.kill();
    await expect(job.result({ timeout: 300 })).rejects.toThrow(BackendUnavailableError);
    await expect(job.status()).rejects.toThrow(BackendUnavailableError);
    await redis.restart();
    expect(await result).toBe('later');
    await close();
    await redis.stop();
  });

  it('[C8] at shutdown: the app closes all the same', async () => {
    const redis = await startRedis();
    const { jobs, close } = await startJobsApp({
      backend: redisAt(redis.port),
      providers: [Echo],
      options: { connectTimeout: '500ms' },
    });
    const job = await jobs.enqueue(task(Echo, 'echo'), 'x');
    expect(await job.result()).toBe('x');
    await redis.kill();
    await close();
    await redis.stop();
  });
});

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

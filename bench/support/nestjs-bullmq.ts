import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Meter } from './meter.js';
import { QUEUE } from './noop-jobs.js';
import { rawWorkerOptions, redisPrefix } from './raw-engine.js';

interface Settings {
  readonly meter: Meter;
  readonly concurrency: number;
}

/** The app of `@nestjs/bullmq` that does what the one of `noop-jobs.ts` does. Returns what stops it. */
export async function startNestjsBullmqApp(
  url: string,
  { meter, concurrency }: Settings,
): Promise<() => Promise<void>> {
  const { autorun: _itStartsThemItself, ...workerOptions } = rawWorkerOptions(concurrency);

  @Processor(QUEUE, workerOptions)
  class NoopProcessor extends WorkerHost {
    constructor(@Inject(Meter) private readonly counter: Meter) {
      super();
    }

    async process(): Promise<void> {
      this.counter.count();
    }
  }

  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const bull = BullModule.forRoot({ connection, prefix: redisPrefix() });
  class NoopModule {}
  const module = {
    module: NoopModule,
    imports: [bull, BullModule.registerQueue({ name: QUEUE })],
    providers: [NoopProcessor, { provide: Meter, useValue: meter }],
  };
  const app = await NestFactory.createApplicationContext(module, { logger: ['error'] });
  return () => app.close();
}

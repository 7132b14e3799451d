import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  chain,
  chord,
  group,
  JobsModule,
  JobsService,
  Task,
  task,
  type Signature,
  type WorkersOption,
} from '../../libs/jobs/src/index.js';
import { BEFORE, largestOf, resultOf, type CanvasRunner, type Shape } from './canvas-shapes.js';
import { connectionOf, QUEUE } from './noop-jobs.js';
import { NAMESPACE, type StoreAddress } from './stores.js';

/** Where the results of the last tasks arrive. */
export abstract class Arrivals {
  abstract tell(task: 'add' | 'largest', result: number): void;
}

@Injectable()
class Numbers {
  constructor(private readonly arrivals: Arrivals) {}

  @Task({ name: 'numbers.add', queue: QUEUE })
  add({ x, y }: { x: number; y: number }): number {
    this.arrivals.tell('add', x + y);
    return x + y;
  }

  @Task({ name: 'numbers.largest', queue: QUEUE })
  largest(values: number[]): number {
    const largest = largestOf(values);
    this.arrivals.tell('largest', largest);
    return largest;
  }
}

export const add = task(Numbers, 'add');
export const largest = task(Numbers, 'largest');

export interface CanvasAppSettings {
  readonly concurrency: number;
  readonly workers: WorkersOption;
  readonly arrivals: Arrivals;
}

export function startCanvasApp(
  store: StoreAddress,
  { concurrency, workers, arrivals }: CanvasAppSettings,
): Promise<INestApplicationContext> {
  const jobs = JobsModule.forRoot({
    connection: connectionOf(store),
    namespace: NAMESPACE,
    queues: { [QUEUE]: { concurrency } },
    workers,
  });
  class CanvasModule {}
  const providers = [Numbers, { provide: Arrivals, useValue: arrivals }];
  const module = { module: CanvasModule, providers, imports: [jobs] };
  return NestFactory.createApplicationContext(module, { logger: ['error'] });
}

/** With the canvases of this library. */
export async function openOurs(store: StoreAddress, shape: Shape, concurrency: number): Promise<CanvasRunner> {
  const waited = new WaitedResult(shape);
  const app = await startCanvasApp(store, { concurrency, workers: true, arrivals: waited });
  const jobs = app.get(JobsService);
  return {
    async run(size) {
      const arrived = waited.of(size);
      await jobs.start(canvasOf(shape, size));
      return arrived;
    },
    close: () => app.close(),
  };
}

function canvasOf(shape: Shape, size: number): Signature<undefined, number> {
  const numbers = Array.from({ length: size }, (_, n) => n);
  switch (shape) {
    case 'chord':
      return chord(
        numbers.map((x) => add.s({ x, y: 0 })),
        largest.s(),
      );
    case 'chain': {
      const steps = numbers.slice(1).map(() => add.s({ y: 1 }, { into: 'x' }));
      return chain(add.s({ x: 0, y: 1 }), ...steps) as Signature<undefined, number>;
    }
    case 'spawned': {
      const members = group(numbers.map((y) => add.s({ y }, { into: 'x' })));
      return chain(add.s({ x: 0, y: BEFORE }), members, largest.s());
    }
  }
}

/** The one result that the canvas under way ends with. */
export class WaitedResult extends Arrivals {
  private readonly last: 'add' | 'largest';
  private wanted: number | undefined;
  private arrive: (result: number) => void = () => {};

  constructor(private readonly shape: Shape) {
    super();
    this.last = shape === 'chain' ? 'add' : 'largest';
  }

  of(size: number): Promise<number> {
    this.wanted = this.shape === 'chain' ? resultOf(this.shape, size) : undefined;
    return new Promise((resolve) => (this.arrive = resolve));
  }

  tell(name: 'add' | 'largest', result: number): void {
    if (name === this.last && result === (this.wanted ?? result)) this.arrive(result);
  }
}

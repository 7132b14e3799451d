import {
  Catch,
  createParamDecorator,
  Inject,
  Injectable,
  Module,
  ParseIntPipe,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentMetadata,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type CallHandler,
  type PipeTransform,
} from '@nestjs/common';
import { APP_INTERCEPTOR, REQUEST } from '@nestjs/core';
import { isJobsContext, JobContext, Payload, Task, task } from 'nestjs-jobs';
import { map, type Observable } from 'rxjs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

@Injectable()
class Steps {
  readonly taken: string[] = [];
}

@Injectable()
class NotBob implements CanActivate {
  constructor(private readonly steps: Steps) {}

  canActivate(context: ExecutionContext): boolean {
    this.steps.taken.push(`guard of ${context.getClass().name}.${context.getHandler().name}`);
    return context.switchToRpc().getData<{ name?: string }>().name !== 'bob';
  }
}

@Injectable()
class Exclaim implements NestInterceptor<string, string> {
  constructor(private readonly steps: Steps) {}

  intercept(context: ExecutionContext, next: CallHandler<string>): Observable<string> {
    const { task: name } = context.switchToRpc().getContext<JobContext>();
    this.steps.taken.push(`interceptor of ${name}`);
    return next.handle().pipe(map((text) => `${text}!`));
  }
}

@Injectable()
class Everywhere implements NestInterceptor {
  constructor(private readonly steps: Steps) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.steps.taken.push(`global interceptor, jobs: ${isJobsContext(context)}`);
    return next.handle();
  }
}

@Injectable()
class Trim implements PipeTransform {
  transform(value: unknown, { type }: ArgumentMetadata): unknown {
    return type === 'body' ? { name: (value as { name: string }).name.trim() } : value;
  }
}

@Catch(RangeError)
class RangeToText implements ExceptionFilter<RangeError> {
  catch(error: RangeError): string {
    return `caught ${error.message}`;
  }
}

@Catch()
class Silent implements ExceptionFilter {
  catch(): void {}
}

@Catch()
class Rethrow implements ExceptionFilter {
  catch(error: unknown): never {
    throw error;
  }
}

const Attempt = createParamDecorator((_: unknown, context: ExecutionContext) => {
  return context.switchToRpc().getContext<JobContext>().attempt;
});

@Injectable()
class Greeter {
  @Task()
  @UseGuards(NotBob)
  @UseInterceptors(Exclaim)
  @UsePipes(Trim)
  greet(payload: { name: string }, job: JobContext, @Attempt() attempt?: number): string {
    return `${job.task}: hello ${payload.name} (${attempt})`;
  }

  @Task()
  double(@Payload(ParseIntPipe) n: string): number {
    return Number(n) * 2;
  }

  @Task({ retry: { attempts: 1 } })
  @UseFilters(Silent)
  failsSilently(): never {
    throw new RangeError('unheard');
  }

  @Task({ retry: { attempts: 1 } })
  @UseFilters(Rethrow)
  failsLoudly(): never {
    throw new RangeError('heard');
  }

  @Task()
  @UseFilters(RangeToText)
  overflows(): string {
    throw new RangeError('too far');
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerJob {
  static made = 0;
  readonly number = ++PerJob.made;

  constructor(@Inject(REQUEST) readonly job: JobContext) {}
}

@Injectable()
class Scoped {
  constructor(private readonly perJob: PerJob) {}

  @Task()
  run(): { number: number; job: string } {
    return { number: this.perJob.number, job: this.perJob.job.id };
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  constructor(private readonly steps: Steps) {}

  @Task()
  run(): boolean {
    return this.steps instanceof Steps;
  }
}

@Module({
  providers: [Steps, Greeter, PerJob, Scoped, Transient, { provide: APP_INTERCEPTOR, useClass: Everywhere }],
  exports: [Steps],
})
class Feature {}

describe.each(backends)("Nest's pipeline on $name", (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({ backend, imports: [Feature] });
  });
  afterAll(() => started?.close());

  it('runs a task through guards, interceptors and pipes, global and local, with a context of its own', async () => {
    const { taken } = started.app.get(Steps);
    taken.length = 0;
    const job = await started.jobs.enqueue(task(Greeter, 'greet'), { name: ' ada ' });
    expect(await job.result()).toBe('Greeter.greet: hello ada (1)!');
    expect(taken).toEqual(['guard of Greeter.greet', 'global interceptor, jobs: true', 'interceptor of Greeter.greet']);
  });

  it('fails a job that a guard refuses', async () => {
    const job = await started.jobs.enqueue(task(Greeter, 'greet'), { name: 'bob' });
    await expect(job.result()).rejects.toMatchObject({ error: { name: 'ForbiddenException' } });
    expect((await job.status()).attempts).toHaveLength(1);
  });

  it('puts the pipes of @Payload on the payload, and does not try again what they refuse', async () => {
    expect(await (await started.jobs.enqueue(task(Greeter, 'double'), '21')).result()).toBe(42);
    const job = await started.jobs.enqueue(task(Greeter, 'double'), 'many');
    await expect(job.result()).rejects.toMatchObject({ error: { name: 'BadRequestException' } });
    expect((await job.status()).attempts).toHaveLength(1);
  });

  it("makes what a filter returns the job's result", async () => {
    expect(await (await started.jobs.enqueue(task(Greeter, 'overflows'))).result()).toBe('caught too far');
  });

  it('leaves the exception as it is when a filter returns nothing or throws it again', async () => {
    const error = { name: 'RangeError', message: 'unheard' };
    await expect((await started.jobs.enqueue(task(Greeter, 'failsSilently'))).result()).rejects.toMatchObject({
      error,
    });
    const job = await started.jobs.enqueue(task(Greeter, 'failsLoudly'));
    await expect(job.result()).rejects.toMatchObject({ error: { name: 'RangeError', message: 'heard' } });
  });

  it('gives a transient provider its dependencies', async () => {
    expect(await (await started.jobs.enqueue(task(Transient, 'run'))).result()).toBe(true);
  });

  it('makes request-scoped providers anew for each job, with the context as the request', async () => {
    const jobs = await Promise.all([1, 2, 3].map(() => started.jobs.enqueue(task(Scoped, 'run'))));
    const results = await Promise.all(jobs.map((job) => job.result()));
    expect(results.map(({ job }) => job)).toEqual(jobs.map(({ id }) => id));
    expect(new Set(results.map(({ number }) => number)).size).toBe(3);
  });
});

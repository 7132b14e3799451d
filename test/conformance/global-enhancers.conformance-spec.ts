import {
  Catch,
  Injectable,
  Module,
  Scope,
  UnauthorizedException,
  UseGuards,
  ValidationPipe,
  type ArgumentMetadata,
  type CanActivate,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { isJobsContext, JobContext, JobsModule, JobsService, Task, task } from 'nestjs-jobs';
import { Type } from 'class-transformer';
import { IsString, ValidateNested } from 'class-validator';
import type { Observable } from 'rxjs';
import { backends, uniqueNamespace } from '../support/backends.js';
import { MemoryLogger } from '../support/memory-logger.js';

@Injectable()
class Steps {
  readonly taken: string[] = [];

  take(step: string, context: ExecutionContext): true {
    this.taken.push(`${step}, jobs: ${isJobsContext(context)}`);
    return true;
  }
}

@Injectable()
class AppGuard implements CanActivate {
  constructor(private readonly steps: Steps) {}

  canActivate(context: ExecutionContext): boolean {
    return this.steps.take('guard of APP_GUARD', context);
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedGuard implements CanActivate {
  constructor(private readonly steps: Steps) {}

  canActivate(context: ExecutionContext): boolean {
    return this.steps.take('guard of APP_GUARD in request scope', context);
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class TransientGuard implements CanActivate {
  constructor(private readonly steps: Steps) {}

  canActivate(context: ExecutionContext): boolean {
    return this.steps.take('transient guard', context);
  }
}

@Injectable()
class AppInterceptor implements NestInterceptor {
  constructor(private readonly steps: Steps) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.steps.take('interceptor of APP_INTERCEPTOR', context);
    return next.handle();
  }
}

@Injectable()
class AppPipe implements PipeTransform {
  transform(value: unknown, { type }: ArgumentMetadata): unknown {
    return type === 'body' && typeof value === 'string' ? `${value}, by APP_PIPE` : value;
  }
}

@Catch(RangeError)
class AppFilter implements ExceptionFilter<RangeError> {
  catch(error: RangeError): string {
    return `${error.message}, by APP_FILTER`;
  }
}

class Suffix implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? `${value} and by useGlobalPipes` : value;
  }
}

@Catch(SyntaxError)
class OtherFilter implements ExceptionFilter<SyntaxError> {
  catch(error: SyntaxError): string {
    return `${error.message}, by useGlobalFilters`;
  }
}

class Author {
  @IsString()
  name!: string;
}

class Note {
  @IsString()
  text!: string;

  @ValidateNested()
  @Type(() => Author)
  author?: Author;
}

@Injectable()
class Notes {
  @Task()
  piped(text: string): string {
    return text;
  }

  @Task()
  keep(note: Note, job: JobContext): string {
    if (!job.id) throw new Error('the context came through a pipe');
    return `${note.constructor.name} ${note.text} by ${note.author?.constructor.name}, ${Object.keys(note).join()}`;
  }

  @Task()
  @UseGuards(TransientGuard)
  fails(error: string): string {
    throw error.startsWith('range') ? new RangeError('too far') : new SyntaxError('unclear');
  }
}

@Injectable()
class NotForJobs implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return !isJobsContext(context);
  }
}

@Injectable()
class SessionGuard implements CanActivate {
  canActivate(): boolean {
    throw new UnauthorizedException('no session');
  }
}

@Injectable()
class Guarded {
  @Task({ retry: { attempts: 3, delay: 1 } })
  @UseGuards(TransientGuard, NotForJobs)
  refused(): void {}

  @Task()
  @UseGuards(SessionGuard)
  unknown(): void {}
}

const GLOBAL = [
  { provide: APP_GUARD, useClass: AppGuard },
  { provide: APP_INTERCEPTOR, useClass: AppInterceptor },
  { provide: APP_PIPE, useClass: AppPipe },
  { provide: APP_FILTER, useClass: AppFilter },
];

@Module({ providers: [Steps, Notes, Guarded, ...GLOBAL] })
class Feature {}

@Module({
  providers: [Steps, Notes, { provide: APP_GUARD, useClass: ScopedGuard }, { provide: APP_GUARD, useClass: AppGuard }],
})
class ScopedFeature {}

describe.each(backends)('global enhancers on $name', (backend) => {
  const logger = new MemoryLogger();
  const apps: INestApplication[] = [];

  async function start(feature: object, configure: (app: INestApplication) => void = () => undefined) {
    const jobs = JobsModule.forRoot({ connection: backend.connection()!, namespace: uniqueNamespace() });
    const module = await Test.createTestingModule({ imports: [feature as typeof Feature, jobs] }).compile();
    const app = module.createNestApplication({ logger });
    configure(app);
    apps.push(app);
    await app.init();
    return { jobs: app.get(JobsService), steps: app.get(Steps, { strict: false }) };
  }

  let started: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    started = await start(Feature, (app) => {
      app.useGlobalPipes(
        new Suffix(),
        new ValidationPipe({ transform: true, whitelist: true, validateCustomDecorators: true }),
      );
      app.useGlobalFilters(new OtherFilter());
    });
  });
  beforeEach(() => started.steps.taken.splice(0));
  afterAll(async () => {
    for (const app of apps) await app.close();
  });

  it('are named at boot, in one line', () => {
    const lines = logger.text().split('\n');
    expect(lines.filter((line) => line.includes('enhancers'))).toEqual([
      'Global enhancers that tasks run through: guard AppGuard, interceptor AppInterceptor, pipe AppPipe, pipe Suffix, ' +
        'pipe ValidationPipe, filter AppFilter, filter OtherFilter. ' +
        'One that expects a request must let jobs pass: isJobsContext(context).',
    ]);
  });

  it('run for tasks, those of APP_* and those of useGlobal..., with a context of type jobs', async () => {
    const job = await started.jobs.enqueue(task(Notes, 'piped'), 'text');
    expect(await job.result()).toBe('text, by APP_PIPE and by useGlobalPipes');
    expect(started.steps.taken).toEqual([
      'guard of APP_GUARD, jobs: true',
      'interceptor of APP_INTERCEPTOR, jobs: true',
    ]);
  });

  it('catch exceptions, and what a filter returns is the result', async () => {
    const fails = task(Notes, 'fails');
    expect(await (await started.jobs.enqueue(fails, 'range')).result()).toBe('too far, by APP_FILTER');
    expect(await (await started.jobs.enqueue(fails, 'syntax')).result()).toBe('unclear, by useGlobalFilters');
  });

  it('make DTO classes of payloads and validate them', async () => {
    const keep = task(Notes, 'keep');
    const note = { text: 'hello', author: { name: 'Ada' }, extra: 1 };
    expect(await (await started.jobs.enqueue(keep, note)).result()).toBe('Note hello by Author, text,author');
    for (const wrong of [{ text: 7 }, { text: 'hello', author: { name: 7 } }]) {
      const job = await started.jobs.enqueue(keep, wrong as unknown as Note);
      await expect(job.result()).rejects.toMatchObject({
        error: {
          name: 'BadRequestException',
          message: expect.stringMatching(/^Bad Request Exception: (text|author\.name) must be a string$/) as string,
        },
      });
      expect((await job.status()).attempts).toHaveLength(1);
    }
  });

  it('are followed by transient ones that have their dependencies', async () => {
    await (await started.jobs.enqueue(task(Notes, 'fails'), 'range')).result();
    expect(started.steps.taken.slice(0, 2)).toEqual(['guard of APP_GUARD, jobs: true', 'transient guard, jobs: true']);
  });

  it('are not passed over when they are request-scoped', async () => {
    const { jobs, steps } = await start(ScopedFeature);
    expect(await (await jobs.enqueue(task(Notes, 'piped'), 'text')).result()).toBe('text');
    expect(steps.taken).toEqual(['guard of APP_GUARD, jobs: true', 'guard of APP_GUARD in request scope, jobs: true']);
    expect(logger.text()).toMatch(/run through: guard AppGuard, guard ScopedGuard\./);
  });

  it('name the guard that refuses, and how jobs pass it', async () => {
    const job = await started.jobs.enqueue(task(Guarded, 'refused'));
    await expect(job.result()).rejects.toMatchObject({
      error: {
        name: 'ForbiddenException',
        message: expect.stringMatching(
          /the guard NotForJobs refused task "Guarded\.refused"\. .*if \(isJobsContext\(context\)\) return true/,
        ) as string,
      },
    });
    expect((await job.status()).attempts).toHaveLength(1);
  });

  it('name the guard that throws in the log, once, and leave its exception alone', async () => {
    for (const _ of [1, 2]) {
      const job = await started.jobs.enqueue(task(Guarded, 'unknown'));
      await expect(job.result()).rejects.toMatchObject({
        error: { name: 'UnauthorizedException', message: 'no session' },
      });
    }
    const told = logger
      .text()
      .match(/The guard SessionGuard threw UnauthorizedException for task "Guarded\.unknown"\./g);
    expect(told).toHaveLength(1);
  });
});

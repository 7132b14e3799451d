import {
  Catch,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  NonRetryableError,
  RetryLater,
  Skip,
  Snooze,
  Task,
  task,
  type JobContext,
  type JobStatus,
  type TaskRef,
} from 'nestjs-jobs';
import { catchError, mergeMap, of, retry, throwError, timer, type Observable } from 'rxjs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const CONTROLS = {
  skip: () => new Skip('nothing to do'),
  snooze: () => new Snooze('1h'),
  later: () => new RetryLater('1h'),
  never: () => new NonRetryableError('no use', { code: 'E_NO_USE' }),
};
type Kind = keyof typeof CONTROLS;

/** What each of them makes of a job, whoever sees it on its way. */
const MEANS: Record<Kind, Partial<JobStatus>> = {
  skip: { state: 'succeeded', reason: 'nothing to do', result: null },
  snooze: { state: 'scheduled', attempt: 0 },
  later: { state: 'retrying', attempt: 1 },
  never: { state: 'failed', error: { name: 'NonRetryableError', message: 'no use', code: 'E_NO_USE' } },
};

function throws(kind: Kind): never {
  throw CONTROLS[kind]();
}

function kindIn(context: ExecutionContext): Kind {
  return context.switchToRpc().getData<Kind>();
}

@Injectable()
class Swallow implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError(() => of('swallowed')));
  }
}

@Injectable()
class Replace implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError(() => throwError(() => new Error('replaced'))));
  }
}

@Injectable()
class TryAgain implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(retry(3));
  }
}

@Injectable()
class ThrowAfter implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(mergeMap(() => throwError(() => CONTROLS[kindIn(context)]())));
  }
}

@Injectable()
class ThrowAtOnce implements NestInterceptor {
  intercept(context: ExecutionContext): Observable<unknown> {
    return throws(kindIn(context));
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(): string {
    return 'caught';
  }
}

@Catch()
class CatchAndReplace implements ExceptionFilter {
  catch(): never {
    throw new Error('replaced');
  }
}

@Injectable()
class ThrowInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return throws(kindIn(context));
  }
}

@Injectable()
class ThrowInPipe implements PipeTransform {
  transform(value: Kind | JobContext): unknown {
    return typeof value === 'string' ? throws(value) : value;
  }
}

@Injectable()
class SameHandler implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getHandler() === Ends.prototype.behindSwallow && context.getClass() === Ends;
  }
}

@Injectable()
class Ends {
  static calls = 0;

  @Task()
  @UseGuards(SameHandler)
  @UseInterceptors(Swallow)
  async behindSwallow(kind: Kind): Promise<never> {
    return throws(kind);
  }

  @UseInterceptors(Replace)
  @Task()
  behindReplace(kind: Kind): never {
    return throws(kind);
  }

  @Task()
  @UseInterceptors(Swallow)
  inAnObservable(kind: Kind): Observable<unknown> {
    return timer(1).pipe(mergeMap(() => throwError(() => CONTROLS[kind]())));
  }

  @Task()
  @UseFilters(CatchAll)
  behindCatchAll(kind: Kind): never {
    return throws(kind);
  }

  @Task()
  @UseFilters(CatchAndReplace)
  @UseInterceptors(Replace, Swallow, Replace)
  behindAll(kind: Kind): never {
    return throws(kind);
  }

  @Task()
  @UseInterceptors(TryAgain)
  behindTryAgain(kind: Kind): never {
    Ends.calls++;
    return throws(kind);
  }

  @Task()
  @UseGuards(ThrowInGuard)
  @UseFilters(CatchAll)
  inGuard(_kind: Kind): string {
    return 'ran';
  }

  @Task()
  @UsePipes(ThrowInPipe)
  @UseInterceptors(Swallow)
  inPipe(_kind: Kind): string {
    return 'ran';
  }

  @Task()
  @UseInterceptors(ThrowAfter)
  @UseFilters(CatchAll)
  inInterceptor(_kind: Kind): string {
    return 'ran';
  }

  @Task()
  @UseInterceptors(Swallow, ThrowAtOnce)
  inInnerInterceptor(_kind: Kind): string {
    return 'ran';
  }

  @Task()
  @UseInterceptors(Swallow, ThrowAfter)
  afterTheMethod(_kind: Kind): string {
    return 'ran';
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedEnds {
  constructor(@Inject(REQUEST) private readonly job: JobContext) {}

  @Task()
  @UseInterceptors(Swallow)
  behindSwallow(kind: Kind): never {
    if (this.job.task !== 'ScopedEnds.behindSwallow') throw new Error('not of this job');
    return throws(kind);
  }
}

@Injectable()
class Unmoved {
  @Task()
  @UseInterceptors(Swallow)
  swallowed(): never {
    throw new Error('an ordinary one');
  }

  @Task()
  @UseInterceptors(TryAgain)
  triedAgain(): number {
    if (++Ends.calls < 3) throw new Error('not yet');
    return Ends.calls;
  }
}

const PLACES: [string, TaskRef<Kind, unknown>][] = [
  ['in the method, under an interceptor that swallows it', task(Ends, 'behindSwallow')],
  ['in the method, under an interceptor that throws another error', task(Ends, 'behindReplace')],
  ['in an observable, under an interceptor that swallows it', task(Ends, 'inAnObservable')],
  ['in the method, under a filter that catches all', task(Ends, 'behindCatchAll')],
  ['in the method, under interceptors and a filter', task(Ends, 'behindAll')],
  ['in the method of a request-scoped provider', task(ScopedEnds, 'behindSwallow')],
  ['in a guard, under a filter that catches all', task(Ends, 'inGuard')],
  ['in a pipe, under an interceptor that swallows it', task(Ends, 'inPipe')],
  ['in an interceptor, under a filter that catches all', task(Ends, 'inInterceptor')],
  ['in an interceptor, under another one that swallows it', task(Ends, 'inInnerInterceptor')],
  ['after the method, in an interceptor under another one that swallows it', task(Ends, 'afterTheMethod')],
];

describe.each(backends)('the record of what a task threw, on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({ backend, providers: [Ends, ScopedEnds, Unmoved] });
  });
  afterAll(() => started?.close());

  describe.each(PLACES)('%s', (_place, ref) => {
    it.each(Object.keys(MEANS) as Kind[])('%s decides', async (kind) => {
      const job = await started.jobs.enqueue(ref, kind);
      await eventually(async () => expect(await job.status()).toMatchObject(MEANS[kind]));
    });
  });

  it('keeps an interceptor from running the method again', async () => {
    Ends.calls = 0;
    const job = await started.jobs.enqueue(task(Ends, 'behindTryAgain'), 'skip');
    await job.result();
    expect(Ends.calls).toBe(1);
    expect(await job.status()).toMatchObject(MEANS.skip);
  });

  it('leaves ordinary errors to interceptors', async () => {
    Ends.calls = 0;
    expect(await (await started.jobs.enqueue(task(Unmoved, 'swallowed'))).result()).toBe('swallowed');
    expect(await (await started.jobs.enqueue(task(Unmoved, 'triedAgain'))).result()).toBe(3);
  });
});

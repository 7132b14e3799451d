import {
  Inject,
  Injectable,
  Module,
  Scope,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import {
  ContextIdFactory,
  REQUEST,
  type ContextId,
  type ContextIdStrategy,
  type HostComponentInfo,
} from '@nestjs/core';
import { JobContext, Task, task } from 'nestjs-jobs';
import { map, type Observable } from 'rxjs';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

/** As Nest's documentation has it for requests: one tree of durable providers for each tenant. */
class ByTenant implements ContextIdStrategy<JobContext> {
  private readonly trees = new Map<string, ContextId>();

  attach(contextId: ContextId, request: JobContext) {
    const tenant = request.headers['x-tenant'] ?? 'nobody';
    const tree = this.trees.get(tenant) ?? ContextIdFactory.create();
    this.trees.set(tenant, tree);
    return {
      resolve: ({ isTreeDurable }: HostComponentInfo) => (isTreeDurable ? tree : contextId),
      payload: { tenant },
    };
  }
}

@Injectable({ scope: Scope.REQUEST, durable: true })
class TenantDatabase {
  static made = 0;
  readonly number = ++TenantDatabase.made;

  constructor(@Inject(REQUEST) readonly request: { tenant: string }) {}
}

@Injectable()
class TenantTasks {
  constructor(private readonly database: TenantDatabase) {}

  @Task()
  tell(): { tenant: string; database: number } {
    return { tenant: this.database.request.tenant, database: this.database.number };
  }
}

@Injectable({ scope: Scope.REQUEST })
class ForThisJob {
  static made = 0;
  readonly number = ++ForThisJob.made;

  constructor(@Inject(REQUEST) readonly job: JobContext) {}
}

/** Made anew for each job, with a durable provider beside it. */
@Injectable()
class Both {
  constructor(
    private readonly perJob: ForThisJob,
    private readonly database: TenantDatabase,
  ) {}

  @Task()
  tell(): { job: string; tenant: string } {
    return { job: this.perJob.job.id, tenant: this.database.request.tenant };
  }
}

@Injectable()
class NeedsJob implements CanActivate {
  constructor(private readonly perJob: ForThisJob) {}

  canActivate(context: ExecutionContext): boolean {
    return this.perJob.job === context.switchToRpc().getContext<JobContext>();
  }
}

@Injectable()
class AddNumber implements NestInterceptor<string, string> {
  constructor(private readonly perJob: ForThisJob) {}

  intercept(_context: ExecutionContext, next: CallHandler<string>): Observable<string> {
    return next.handle().pipe(map((text) => `${text} ${this.perJob.number}`));
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Counter {
  private count = 0;

  next(): number {
    return ++this.count;
  }
}

/** Static by itself; what its enhancers need makes it request-scoped. */
@Injectable()
@UseGuards(NeedsJob)
class Enhanced {
  constructor(private readonly counter: Counter) {}

  @Task()
  @UseInterceptors(AddNumber)
  tell(): string {
    return `count ${this.counter.next()}, provider`;
  }
}

@Injectable()
class Static {
  constructor(private readonly counter: Counter) {}

  @Task()
  tell(): number {
    return this.counter.next();
  }
}

@Module({ providers: [TenantDatabase, TenantTasks, ForThisJob, Counter, Both, Enhanced, Static] })
class Feature {}

describe.each(backends)('scopes on $name', (backend) => {
  let started: JobsApp;
  beforeAll(async () => {
    started = await startJobsApp({ backend, imports: [Feature] });
  });
  afterEach(() => ContextIdFactory.apply(undefined as unknown as ByTenant));
  afterAll(() => started?.close());

  it('make a provider anew for each job that its guard and its interceptor need', async () => {
    ForThisJob.made = 0;
    const jobs = await Promise.all([1, 2, 3].map(() => started.jobs.enqueue(task(Enhanced, 'tell'))));
    const told = await Promise.all(jobs.map((job) => job.result()));
    expect(told.toSorted()).toEqual([1, 2, 3].map((number) => `count 1, provider ${number}`));
  });

  it('give each consumer a transient provider of its own, which lives as long as it does', async () => {
    const tell = async (): Promise<number> => (await started.jobs.enqueue(task(Static, 'tell'))).result();
    expect(await tell()).toBe(1);
    expect(await (await started.jobs.enqueue(task(Enhanced, 'tell'))).result()).toMatch(/^count 1,/);
    expect(await tell()).toBe(2);
  });

  it('give the job as the request to what is made for it alone, also where a strategy keeps durable trees', async () => {
    ContextIdFactory.apply(new ByTenant());
    const headers = { 'x-tenant': 'acme' };
    const job = await started.jobs.enqueue(task(Both, 'tell'), undefined, { headers });
    expect(await job.result()).toEqual({ job: job.id, tenant: 'acme' });
    const guarded = await started.jobs.enqueue(task(Enhanced, 'tell'), undefined, { headers });
    expect(await guarded.result()).toMatch(/^count 1,/);
  });

  it('keep durable providers over the jobs of one tenant, with what the strategy says as the request', async () => {
    ContextIdFactory.apply(new ByTenant());
    TenantDatabase.made = 0;
    const told: { tenant: string; database: number }[] = [];
    for (const tenant of ['acme', 'acme', 'zeta', 'acme']) {
      const job = await started.jobs.enqueue(task(TenantTasks, 'tell'), undefined, { headers: { 'x-tenant': tenant } });
      told.push(await job.result());
    }
    expect(told).toEqual([
      { tenant: 'acme', database: 1 },
      { tenant: 'acme', database: 1 },
      { tenant: 'zeta', database: 2 },
      { tenant: 'acme', database: 1 },
    ]);
  });
});

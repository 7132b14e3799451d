import type { LimitRule } from '../backend/limits.js';
import type { RateLimitRule } from '../limits/limit-rule.js';
import type { Type } from '@nestjs/common';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import type { TaskPlacement, TaskRouter } from '../client/task-router.js';
import type { ResolvedTimeLimit, TimeLimit } from '../execution/time-limit.js';
import type { ResultStore } from '../results/result-store.js';
import type { S3ResultsOptions } from '../results/s3-results-options.js';
import type { PostgresPool, PostgresPoolOptions } from './postgres-options.js';
import type { TaskPattern } from './task-pattern.js';
import type { ResolvedRetryPolicy, RetryPolicy } from '../retry/retry-policy.js';

/** Milliseconds, or a string that the package `ms` reads: `'10m'`, `'1h'`. */
export type Duration = number | string;

/** Bytes, or a string that the package `bytes` reads: `'64kb'`, `'10mb'`. */
export type ByteSize = number | string;

/**
 * Where jobs live.
 *
 * - a `redis://` or `rediss://` url, or `{ redis }` with ioredis options, a `Redis` or a `Cluster` of yours;
 * - a `postgres://` or `postgresql://` url, or `{ postgres }` with a url, pool options of node-postgres or a `pg.Pool` of
 *   yours. Without `migrate: false` the tables are created and upgraded at boot.
 * - `{ embedded: { dataDir } }`: a Postgres inside this process (PGlite), stored in `dataDir`, or in memory only with
 *   `dataDir: 'memory://'`.
 *
 * No `connection` at all means embedded in `.jobs/`, except with NODE_ENV=production, where it must be named.
 */
export type JobsConnection =
  | string
  | { redis: string | RedisOptions | Redis | Cluster }
  | {
      postgres: string | PostgresPoolOptions | PostgresPool;
      /** False: `migrateJobs` has run before the deploy, and the boot only checks it. @default true */
      migrate?: boolean;
    }
  | {
      embedded: {
        /** @default '.jobs' */
        dataDir?: string;
        /**
         * For test suites: a directory in which the files of a new database are kept, about 25 MB, so that the next new
         * one has them from there. To make them is most of what a first boot does, and each one does it in memory. The
         * directory is made when it is missing, and has a file for each version of PGlite.
         */
        template?: string;
      };
    };

/**
 * Where the jobs of some tasks go.
 *
 * The idea is Celery's `task_routes`.
 *
 * @publicApi
 */
export interface TaskRoute {
  /**
   * The names of the tasks: `*` stands for any characters, also for none and for dots, `?` for exactly one. All else is
   * meant as it is written, capitals too.
   */
  match: string;
  /** A declared queue. @default not decided here */
  queue?: string;
  /** From 0 to 9, 9 first. @default not decided here */
  priority?: number;
}

/** Options of one queue. @publicApi */
export interface QueueOptions {
  /** Jobs of this queue that one process runs at the same time. @default 10 */
  concurrency?: number;
  /**
   * Jobs of this queue that the whole fleet runs at the same time at most. The processes that work the queue write it into
   * the store at boot, where it is not what was declared before: what {@link Fleet.setGlobalConcurrency} has set stays until
   * the code declares another number. One value in all processes that work the queue. Leaving the option out takes no
   * limit away; `setGlobalConcurrency(queue, undefined)` does. @default no limit
   */
  globalConcurrency?: number;
  /**
   * How many jobs of this queue may begin in what time in the whole fleet, whatever their task: `'100/m'`, or an object as
   * {@link RateLimited} takes it. Each attempt counts. Changed at run time as `queue:<name>`. @default no limit
   */
  rateLimit?: string | RateLimitRule;
  /** Task options that hold for the jobs of this queue, unless the task or the call sets its own. @default the module's */
  defaults?: TaskDefaultsOptions;
}

/**
 * Which of the declared queues this process works: all, none (`false`: it only enqueues), or some by name.
 */
export type WorkersOption = boolean | { only: readonly string[] } | { except: readonly string[] };

/**
 * Options that every task has, set once for a queue or for the module. What decides, each option by itself: the call of
 * `enqueue`, then `@Task` or the contract, then `@TaskDefaults`, then (of the priority) the route or the router, then the
 * defaults of the queue that the job goes to, then those of the module.
 *
 * @publicApi
 */
export interface TaskDefaultsOptions {
  /** How a failed attempt is tried again. @default 3 attempts, 1s, doubling up to 10m, full jitter */
  retry?: RetryPolicy;
  /** How long one attempt may take; `false`: as long as it likes. @default `{ soft: '9m', hard: '10m' }` */
  timeLimit?: TimeLimit | false;
  /** From 0 to 9, 9 first. @default 5 */
  priority?: number;
  /** How long after its time has come a job may still start; `false`: for ever. @default false */
  expiresIn?: Duration | false;
  /** False: what a task returns is not stored, and `result()` gives null. @default true */
  keepResult?: boolean;
}

/**
 * Options of {@link JobsModule.forRoot}. All are optional; an unknown key or a bad value stops the boot with the
 * option's path, what was expected and what came.
 *
 * @publicApi
 */
export interface JobsModuleOptions {
  /** Where jobs live. @default embedded in `.jobs/` */
  connection?: JobsConnection;
  /** How long an enqueue, a look-up or a health check waits for a backend that is away. Boot does not wait. @default '2s' */
  connectTimeout?: Duration;
  /** Key prefix in Redis, schema in Postgres and in the embedded database; apps that share a store need different ones. @default 'jobs' */
  namespace?: string;
  /** Queue name (`[a-z][a-z0-9-]*`) to its options. The default queue is always there. */
  queues?: Record<string, QueueOptions>;
  /** The queue of tasks that name none. @default 'default' */
  defaultQueue?: string;
  /**
   * Queue and priority by the task's name: of the first route whose `match` fits. The call of `enqueue` and `@Task` go
   * first, the defaults of queue and module come after. Not beside `router`.
   */
  routes?: readonly TaskRoute[];
  /**
   * Queue and priority as code of yours decides: an instance, or a class that Nest makes, provided in any module of the
   * app. Not beside `routes`.
   */
  router?: TaskRouter | Type<TaskRouter>;
  /** Which queues this process works. @default true */
  workers?: WorkersOption;
  /** Task options that hold unless the task sets its own. */
  defaults?: TaskDefaultsOptions;
  results?: {
    /** How long a succeeded job and its result can be read. @default '24h' */
    keepFor?: Duration;
    /** How long a failed or cancelled job can be read. @default '7d' */
    keepFailedFor?: Duration;
    /** The largest result that is kept in the queue itself, as JSON. @default '64kb' */
    inlineLimit?: ByteSize;
    /**
     * Where larger results are kept, and what a task returns as a Buffer or a stream: files in a directory that all
     * processes share, a bucket of an S3-compatible store (needs `@aws-sdk/client-s3` and `@aws-sdk/lib-storage`), a table
     * beside the jobs on Postgres and embedded, or a {@link ResultStore} of your own. With `false` a job that gives such a
     * result fails with {@link ResultTooLargeError}. One value for the whole fleet.
     *
     * @default files in `results` in the directory of the embedded backend, or in `.jobs/results`
     */
    store?: false | 'table' | { files: string } | { s3: S3ResultsOptions } | ResultStore;
    /** The largest result of all; a job that gives a larger one fails. @default '1gb' */
    maxSize?: ByteSize;
  };
  payload?: {
    /** The largest payload, as JSON. @default '256kb' */
    maxSize?: ByteSize;
  };
  /** How long a job whose task no worker knows waits for a deploy that brings it. @default '1h' */
  unknownTaskGrace?: Duration;
  /**
   * How long a worker's claim on a running job lasts without renewal. Workers renew at half of it; the job of a worker
   * that died runs again between one and two leases later. A canvas fails when the process that adds the members of its
   * group gives no sign of life for as long. One value for the whole fleet. @default '30s'
   */
  lease?: Duration;
  /**
   * How long a task that runs when its job is cancelled has to stop: `job.signal` is aborted at once, and after this the
   * attempt is ended while its code runs on, as by a hard time limit. @default '30s'
   */
  cancelGrace?: Duration;
  /**
   * True: the methods that have `@Cron`, `@Interval` or `@Timeout` of @nestjs/schedule run once in the whole fleet, as jobs,
   * with no change of their code. One with {@link PerProcess} of `nestjs-jobs/nest-schedule` goes on running in each process.
   *
   * @default false
   */
  adoptNestSchedule?: boolean;
  shutdown?: {
    /**
     * How long a stopping process waits for its running jobs. The default leaves five of the thirty seconds that
     * Kubernetes gives a pod by default: time to give the unfinished jobs back and to close. Sidekiq's is the same.
     * @default '25s'
     */
    grace?: Duration;
  };
}

/** {@link JobsModuleOptions} after validation, every default filled in. @internal */
export interface ResolvedJobsOptions extends ResolvedResults {
  readonly connection: ResolvedConnection;
  readonly connectTimeout: number;
  readonly namespace: string;
  readonly queues: ReadonlyMap<string, ResolvedQueueOptions>;
  readonly defaultQueue: string;
  /** Names of the queues that this process works. */
  readonly workedQueues: ReadonlySet<string>;
  readonly routing: ResolvedRouting;
  readonly maxPayloadSize: number;
  readonly unknownTaskGrace: number;
  readonly lease: number;
  readonly cancelGrace: number;
  readonly adoptNestSchedule: boolean;
  readonly shutdownGrace: number;
}

/** @internal */
export interface ResolvedResults {
  readonly keepFor: number;
  readonly keepFailedFor: number;
  /** Bytes in the queue itself. */
  readonly maxResultSize: number;
  /** Bytes in a store. */
  readonly maxStoredSize: number;
  readonly resultStore: ResolvedResultStore | undefined;
}

/** @internal */
export type ResolvedResultStore =
  /** Without a directory one that goes with the process. */
  | { readonly kind: 'files'; readonly directory: string | undefined; readonly byDefault: boolean }
  | { readonly kind: 's3'; readonly s3: S3ResultsOptions }
  | { readonly kind: 'table' }
  | { readonly kind: 'custom'; readonly store: ResultStore };

/** @internal */
export interface ResolvedQueueOptions {
  readonly concurrency: number;
  readonly globalConcurrency: number | undefined;
  readonly rateLimit: LimitRule | undefined;
  /** Those of the module where the queue has no own. */
  readonly defaults: ResolvedTaskDefaults;
}

/** @internal */
export interface ResolvedTaskDefaults {
  readonly retry: ResolvedRetryPolicy;
  readonly timeLimit: ResolvedTimeLimit;
  /** From 0 to 9. */
  readonly priority: number;
  /** Milliseconds. */
  readonly expiresIn: number | undefined;
  readonly keepResult: boolean;
}

/** @internal */
export interface ResolvedRoute {
  readonly pattern: TaskPattern;
  readonly placement: TaskPlacement;
}

/** @internal */
export interface ResolvedRouting {
  readonly routes: readonly ResolvedRoute[];
  readonly router: TaskRouter | Type<TaskRouter> | undefined;
}

/** @internal */
export type ResolvedConnection =
  | {
      readonly kind: 'embedded';
      readonly dataDir: string;
      readonly template?: string | undefined;
      readonly byDefault: boolean;
    }
  | { readonly kind: 'redis'; readonly redis: string | RedisOptions | Redis | Cluster }
  | {
      readonly kind: 'postgres';
      readonly target: string | PostgresPoolOptions | PostgresPool;
      readonly migrate: boolean;
    };

import { type CanActivate, ForbiddenException, HttpException, Logger, type ExecutionContext } from '@nestjs/common';
import type { ExternalContextCreator } from '@nestjs/core';
import { nameOfEnhancer } from './global-enhancers.js';
import type { JobContext } from './job-context.js';

type TryActivate = (
  guards: readonly CanActivate[],
  args: unknown[],
  instance: object,
  callback: unknown,
  type?: string,
) => Promise<boolean>;

/** What Nest's creator keeps to itself: who asks the guards. */
interface Inside {
  readonly guardsConsumer?: { tryActivate: TryActivate };
}

const LET_JOBS_PASS =
  'Guards run for jobs as they do for requests; one that expects a request must let jobs pass: ' +
  'if (isJobsContext(context)) return true';

/**
 * The same creator, with contexts that say which guard refused. Of Nest's own exception nobody can tell, and it is most
 * often a global guard that nobody thought of.
 *
 * @internal
 */
export function withNamedGuards(creator: ExternalContextCreator): ExternalContextCreator {
  const { guardsConsumer } = creator as unknown as Inside;
  // A Nest that is built otherwise still refuses, only without a name.
  if (typeof guardsConsumer?.tryActivate !== 'function') return creator;
  const warn = warnOnce();
  const tryActivate: TryActivate = async (guards, args, instance, callback, type) => {
    let asked: CanActivate | undefined;
    const watched = guards.map((guard) => ({
      canActivate(context: ExecutionContext) {
        asked = guard;
        return guard.canActivate(context);
      },
    }));
    const { task } = args[1] as JobContext;
    try {
      if (await guardsConsumer.tryActivate(watched, args, instance, callback, type)) return true;
    } catch (error) {
      warn(asked, task, error);
      throw error;
    }
    throw new ForbiddenException(
      `nestjs-jobs: the guard ${nameOfEnhancer(asked)} refused task "${task}". ${LET_JOBS_PASS}.`,
    );
  };
  return Object.assign(Object.create(creator) as ExternalContextCreator, { guardsConsumer: { tryActivate } });
}

/** The exception is the guard's own and stays as it is; what a guard throws that misses its request looks like these. */
function warnOnce(): (guard: CanActivate | undefined, task: string, error: unknown) => void {
  const logger = new Logger('Jobs');
  const warned = new Set<string>();
  return (guard, task, error) => {
    const name = nameOfEnhancer(guard);
    if (warned.has(name) || !(error instanceof HttpException || error instanceof TypeError)) return;
    warned.add(name);
    logger.warn(`The guard ${name} threw ${error.name} for task "${task}". ${LET_JOBS_PASS}.`);
  };
}

import type { ModulesContainer } from '@nestjs/core';

/** On the class of the module that holds the workers, by which it is known here. @internal */
export const HOLDS_WORKERS = 'nestjs-jobs:holds-workers';

/**
 * `JobsModule` is more than once in one app: `forRoot` or `forRootAsync` was called again, or a module imports `JobsModule`
 * without a call. The app does not boot.
 *
 * @publicApi
 */
export class DuplicateJobsModuleError extends Error {
  override readonly name = 'DuplicateJobsModuleError';

  /** @internal */
  constructor(importers: readonly string[]) {
    const places = importers.length > 0 ? `, by ${importers.join(' and by ')}` : '';
    super(
      `nestjs-jobs: JobsModule is imported more than once in this app${places}, so tasks would be run by the workers of ` +
        'each. Call JobsModule.forRoot() or forRootAsync() once, in the root module. Other modules need no import ' +
        'to inject JobsService, also none of JobsModule without a call; with global: false they import one module of yours that exports what forRoot() gave.',
    );
  }
}

/**
 * Called before anything is opened.
 *
 * @throws {DuplicateJobsModuleError}
 * @internal
 */
export function assertOneJobsModule(modules: ModulesContainer, core: object): void {
  const all = [...modules.values()];
  // Nest makes each of the global cores an import of every module, but not what is around them.
  const around = all.filter(({ metatype }) => Reflect.getMetadata(HOLDS_WORKERS, metatype) === true);
  if (around.length < 2 && all.filter(({ metatype }) => metatype === core).length < 2) return;
  const importers = around.flatMap((each) => all.filter(({ imports }) => imports.has(each)).map(({ name }) => name));
  throw new DuplicateJobsModuleError(importers);
}

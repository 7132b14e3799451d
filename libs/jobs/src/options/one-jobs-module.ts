import type { ModulesContainer } from '@nestjs/core';

/**
 * `JobsModule.forRoot` or `forRootAsync` was called more than once in one app. The app does not boot.
 *
 * @publicApi
 */
export class DuplicateJobsModuleError extends Error {
  override readonly name = 'DuplicateJobsModuleError';

  /** @internal */
  constructor(importers: readonly string[]) {
    const places = importers.length > 0 ? `, by ${importers.join(' and by ')}` : '';
    super(
      `nestjs-jobs: JobsModule.forRoot() or forRootAsync() is called more than once in this app${places}, so tasks would be ` +
        'run by the workers of each. Call it once, in the root module. Other modules need no import to inject ' +
        'JobsService; with global: false they import one module of yours that exports what forRoot() gave.',
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
  const cores = all.filter(({ metatype }) => metatype === core);
  if (cores.length < 2) return;
  // Nest makes each of the global cores an import of every module, but not what is around them.
  const isAround = (name: string, imports: ReadonlySet<object>): boolean =>
    name === 'JobsModule' && cores.some((each) => imports.has(each));
  const around = all.filter(({ name, imports }) => isAround(name, imports));
  const importers = around.flatMap((each) => all.filter(({ imports }) => imports.has(each)).map(({ name }) => name));
  throw new DuplicateJobsModuleError(importers);
}

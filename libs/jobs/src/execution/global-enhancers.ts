import type { ExternalContextCreator } from '@nestjs/core';

type Wrapper = { readonly metatype?: unknown };

/** Nest's record of what is global in an app; it can be injected nowhere. */
interface GlobalConfig {
  getGlobalGuards(): readonly unknown[];
  getGlobalRequestGuards(): readonly Wrapper[];
  getGlobalInterceptors(): readonly unknown[];
  getGlobalRequestInterceptors(): readonly Wrapper[];
  getGlobalPipes(): readonly unknown[];
  getGlobalRequestPipes(): readonly Wrapper[];
  getGlobalFilters(): readonly unknown[];
  getGlobalRequestFilters(): readonly Wrapper[];
}

interface Inside {
  readonly guardsContextCreator?: { readonly config?: GlobalConfig };
}

/** The enhancers that every task runs through, as in `guard SessionGuard`: those of APP_* and of `useGlobal...`. @internal */
export function globalEnhancersOf(creator: ExternalContextCreator): string[] {
  const config = (creator as unknown as Inside).guardsContextCreator?.config;
  if (!config) return [];
  const named = (kind: string, made: readonly unknown[], scoped: readonly Wrapper[]): string[] => [
    ...made.map((enhancer) => `${kind} ${nameOfEnhancer(enhancer)}`),
    ...scoped.map(({ metatype }) => `${kind} ${nameOfEnhancer(metatype)}`),
  ];
  return [
    ...named('guard', config.getGlobalGuards(), config.getGlobalRequestGuards()),
    ...named('interceptor', config.getGlobalInterceptors(), config.getGlobalRequestInterceptors()),
    ...named('pipe', config.getGlobalPipes(), config.getGlobalRequestPipes()),
    ...named('filter', config.getGlobalFilters(), config.getGlobalRequestFilters()),
  ];
}

/** Of the class, which may stand there itself. @internal */
export function nameOfEnhancer(enhancer: unknown): string {
  const type: unknown = typeof enhancer === 'function' ? enhancer : (enhancer as object | undefined)?.constructor;
  const name = typeof type === 'function' && type !== Object ? type.name : '';
  return name || '(without a name)';
}

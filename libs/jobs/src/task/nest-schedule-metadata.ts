/** What the decorators of @nestjs/schedule write; by its keys, because the package is there in some apps only. */
const TYPE = 'SCHEDULER_TYPE';
const NAME = 'SCHEDULER_NAME';
const CRON = 'SCHEDULE_CRON_OPTIONS';
const INTERVAL = 'SCHEDULE_INTERVAL_OPTIONS';
const TIMEOUT = 'SCHEDULE_TIMEOUT_OPTIONS';
/** The values of its enum. */
const IS_CRON = 1;
const IS_TIMEOUT = 2;
const IS_INTERVAL = 3;

/** What its `@Cron` was given, unchecked. @internal */
export interface NestCron {
  readonly cronTime: unknown;
  readonly name?: string;
  readonly timeZone?: unknown;
  readonly utcOffset?: unknown;
  readonly disabled?: boolean;
  readonly waitForCompletion?: boolean;
}

/** What a method has of @nestjs/schedule. @internal */
export type NestSchedule = { readonly name: string | undefined } & (
  | { readonly kind: 'cron'; readonly cron: NestCron }
  | { readonly kind: 'interval'; readonly ms: number }
  | { readonly kind: 'timeout'; readonly ms: number }
);

/** Undefined for a method that @nestjs/schedule does not know. @internal */
export function nestScheduleOf(handler: unknown): NestSchedule | undefined {
  if (typeof handler !== 'function') return undefined;
  const read = (key: string): unknown => Reflect.getMetadata(key, handler);
  const name = read(NAME) as string | undefined;
  switch (read(TYPE)) {
    case IS_CRON: {
      const cron = read(CRON) as NestCron;
      // As it is there: an empty name is none.
      return { kind: 'cron', cron, name: cron.name || undefined };
    }
    case IS_INTERVAL:
      return { kind: 'interval', name, ms: (read(INTERVAL) as { timeout: number }).timeout };
    case IS_TIMEOUT:
      return { kind: 'timeout', name, ms: (read(TIMEOUT) as { timeout: number }).timeout };
    default:
      return undefined;
  }
}

/** For messages: the decorator that a method has of @nestjs/schedule. @internal */
export function nestDecoratorOf({ kind }: NestSchedule): string {
  return { cron: '@Cron', interval: '@Interval', timeout: '@Timeout' }[kind];
}

import type { ArgumentsHost } from '@nestjs/common';

/** What `getType()` of an execution context says inside a task. @publicApi */
export const JOBS_CONTEXT_TYPE = 'jobs';

/**
 * Whether a guard, interceptor or filter runs for a task, and not for an HTTP request.
 *
 * `context.switchToRpc()` then gives the payload (`getData()`) and the {@link JobContext} (`getContext()`).
 *
 * @example
 * ```ts
 * import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
 * import { isJobsContext } from 'nestjs-jobs';
 *
 * @Injectable()
 * export class SessionGuard implements CanActivate {
 *   canActivate(context: ExecutionContext): boolean {
 *     if (isJobsContext(context)) return true;
 *     return Boolean(context.switchToHttp().getRequest<{ user?: unknown }>().user);
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function isJobsContext(context: ArgumentsHost): boolean {
  return context.getType<string>() === JOBS_CONTEXT_TYPE;
}

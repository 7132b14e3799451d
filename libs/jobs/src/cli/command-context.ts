import type { JobsService } from '../client/jobs.service.js';
import type { JobsSession } from './jobs-session.js';
import type { Output } from './output.js';

/** What a command works with while it is connected. @internal */
export interface CommandContext {
  readonly jobs: JobsService;
  readonly session: JobsSession;
  readonly output: Output;
  /** Has it confirmed. Only what was asked for by `--yes` or answered with yes comes back. @throws {CliError} */
  readonly confirm: (what: string) => Promise<void>;
}

/** Makes a command's action of what it does when it is connected. @internal */
export type Connected = <Parameters extends unknown[]>(
  action: (context: CommandContext, ...parameters: Parameters) => Promise<void>,
) => (...parameters: Parameters) => Promise<void>;

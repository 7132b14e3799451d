import type { LoggerService } from '@nestjs/common';

/** What a backend has to say on its own. @internal */
export type BackendLogger = Pick<LoggerService, 'log' | 'error' | 'debug'>;

import { Logger } from '@nestjs/common';

/** Apps enable their hooks before or after `listen`; a second process that is slow to boot has done it by then too. */
const CHECK_AFTER = 5_000;

/**
 * Warns when nothing listens for SIGTERM some seconds after the boot: then a deploy ends the process in the middle of
 * its jobs. Nest keeps to itself whether `enableShutdownHooks()` was called. An app may as well drain in a listener of
 * its own, so any listener will do: this never warns without reason, and may stay silent when some package listens for
 * reasons of its own.
 *
 * @internal
 */
export class ShutdownHooksCheck {
  private readonly logger = new Logger('Jobs');
  private timer: NodeJS.Timeout | undefined;

  start(): void {
    // Test runners end their processes otherwise.
    if (process.env['NODE_ENV'] === 'test') return;
    this.timer = setTimeout(() => this.check(), CHECK_AFTER).unref();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private check(): void {
    if (process.listenerCount('SIGTERM') > 0) return;
    this.logger.warn(
      'Nothing listens for SIGTERM, so a deploy will end this process in the middle of its jobs: ' +
        'call app.enableShutdownHooks() in main.ts.',
    );
  }
}

import type { LoggerService } from '@nestjs/common';

/** Keeps what an app logs, for tests that read it. */
export class MemoryLogger implements LoggerService {
  private readonly lines: string[] = [];
  private readonly debugLines: string[] = [];

  readonly log = (message: unknown): void => this.keep(message);
  readonly warn = (message: unknown): void => this.keep(message);
  readonly error = (message: unknown): void => this.keep(message);

  readonly debug = (message: unknown): void => void this.debugLines.push(String(message));

  text(): string {
    return this.lines.join('\n');
  }

  debugged(): string {
    return this.debugLines.join('\n');
  }

  private keep(message: unknown): void {
    this.lines.push(String(message));
  }
}

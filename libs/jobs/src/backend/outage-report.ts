import type { BackendLogger } from './backend-logger.js';

/** Says once that a backend is away, and once that it is back, however many connections notice it. @internal */
export class OutageReport {
  lastError: Error | undefined;
  private location = 'the backend';
  private isSilent = false;

  constructor(private readonly logger: BackendLogger) {}

  of(location: string): void {
    this.location = location;
  }

  because(error: Error): void {
    if (!this.lastError && !this.isSilent) this.logger.error(`${this.location} cannot be reached: ${error.message}`);
    this.lastError = error;
  }

  over(): void {
    if (this.lastError && !this.isSilent) this.logger.log(`${this.location} can be reached again.`);
    this.lastError = undefined;
  }

  silence(): void {
    this.isSilent = true;
  }
}

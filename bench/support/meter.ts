export interface Measurement {
  /** Jobs per second. */
  readonly rate: number;
  /** Microseconds that all threads of the process computed, for each job. */
  readonly cpu: number;
}

/** Measures from the moment when the last warm-up job runs to the moment when the last job runs. */
export class Meter {
  readonly measured: Promise<Measurement>;
  private calls = 0;
  private startedAt = 0;
  private cpuAtStart = process.cpuUsage();
  private finish: (measurement: Measurement) => void = () => {};

  /** `warmUp`: at least one. */
  constructor(
    private readonly warmUp: number,
    private readonly jobs: number,
  ) {
    this.measured = new Promise((resolve) => (this.finish = resolve));
  }

  /** To be called by each job. */
  count(): void {
    this.calls++;
    if (this.calls === this.warmUp) {
      this.startedAt = performance.now();
      this.cpuAtStart = process.cpuUsage();
    } else if (this.calls === this.warmUp + this.jobs) {
      const seconds = (performance.now() - this.startedAt) / 1_000;
      const { user, system } = process.cpuUsage(this.cpuAtStart);
      this.finish({ rate: this.jobs / seconds, cpu: (user + system) / this.jobs });
    }
  }
}

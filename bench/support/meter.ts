export interface Measurement {
  /** Jobs per second. */
  readonly rate: number;
  /** Microseconds that all threads of the process computed, for each job. */
  readonly cpu: number;
}

/** Measures from the moment when the last warm-up job is counted to the moment when the last job is. */
export class Meter {
  readonly measured: Promise<Measurement>;
  private counted = 0;
  private startedAt = 0;
  private cpuAtStart = process.cpuUsage();
  private finish: (measurement: Measurement) => void = () => {};

  /** Both at least one. */
  constructor(
    private readonly warmUp: number,
    private readonly jobs: number,
  ) {
    this.measured = new Promise((resolve) => (this.finish = resolve));
  }

  /** Jobs that are counted together must not lie on both sides of the end of the warm-up. */
  count(jobs = 1): void {
    this.counted += jobs;
    if (this.counted === this.warmUp) {
      this.startedAt = performance.now();
      this.cpuAtStart = process.cpuUsage();
    } else if (this.counted === this.warmUp + this.jobs) {
      const seconds = (performance.now() - this.startedAt) / 1_000;
      const { user, system } = process.cpuUsage(this.cpuAtStart);
      this.finish({ rate: this.jobs / seconds, cpu: (user + system) / this.jobs });
    }
  }
}

/**
 * Another process, or another module of this one, has the data directory of the embedded database open.
 *
 * @publicApi
 */
export class DataDirectoryLockedError extends Error {
  override readonly name = 'DataDirectoryLockedError';
  /** Absolute path of the directory. */
  readonly dataDir: string;
  /** The process that has it open. */
  readonly pid: number;
  readonly hostname: string;

  constructor(options: { dataDir: string; pid: number; hostname: string; isThisProcess: boolean; grace: number }) {
    const { dataDir, pid, hostname, isThisProcess, grace } = options;
    super(
      isThisProcess
        ? `nestjs-jobs: this process already has the data directory ${dataDir} open (pid ${pid}), and did not close it ` +
            `within ${grace} ms. Open it once, or give each module its own dataDir.`
        : `nestjs-jobs: the data directory ${dataDir} is in use by the process with pid ${pid} on ${hostname}, which did ` +
            `not leave it within ${grace} ms. Stop that process, use another dataDir, or use Redis or Postgres when ` +
            'several processes must share jobs.',
    );
    this.dataDir = dataDir;
    this.pid = pid;
    this.hostname = hostname;
  }
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobType } from 'bullmq';
import type { Signature } from 'nestjs-jobs';
import { INTERNAL_QUEUE } from '../../libs/jobs/src/canvas/canvas-part.js';
import { Queues } from '../../libs/jobs/src/client/queues.js';
import {
  canvasOptions,
  CanvasTasks,
  readCanvasLedger,
  SETTINGS_VARIABLE,
  type CanvasEntry,
  type CanvasSettings,
} from '../fixtures/canvas-tasks.js';
import { embeddedIn, uniqueNamespace, type TestBackend } from './backends.js';
import { spawnFixture } from './child-process.js';
import { eventually } from './eventually.js';
import { startJobsApp, type JobsApp } from './jobs-app.js';

/** The states of jobs that have not ended. */
export const OPEN = ['active', 'wait', 'prioritized', 'delayed', 'waiting-children'] as const;

type Death = Pick<CanvasSettings, 'fault' | 'diesAfter' | 'streamed' | 'cancelledAfter'>;

/** Canvases that a process starts and works on until it dies, and that this one ends. */
export class CanvasCrashes {
  /** Milliseconds. Embedded, what a dead process had is free at once; on servers that is waited for. */
  readonly lease: number;
  private directory!: string;
  private shared!: Pick<CanvasSettings, 'connection' | 'namespace' | 'ledger' | 'lease'>;

  constructor(private readonly backend: TestBackend) {
    this.lease = backend.name === 'embedded' ? 8_000 : 3_000;
    beforeEach(async () => {
      this.directory = await mkdtemp(join(tmpdir(), 'jobs-canvas-'));
      const ledger = join(this.directory, 'ledger');
      await writeFile(ledger, '');
      const data = join(this.directory, 'data');
      const connection = backend.name === 'embedded' ? embeddedIn(data) : backend.connection()!;
      this.shared = { connection, namespace: uniqueNamespace(), ledger, lease: this.lease };
      CanvasTasks.ledger = ledger;
    });
    afterEach(() => rm(this.directory, { recursive: true, force: true }));
  }

  /** Answers the id of the canvas, whether it was added or not. */
  async diesIn(canvas: Signature<undefined, unknown> | undefined, death: Death): Promise<string> {
    const settings: CanvasSettings = { ...this.shared, ...death, ...(canvas && { canvas: canvas.toJSON() }) };
    const victim = spawnFixture('canvas-worker', { env: { [SETTINGS_VARIABLE]: JSON.stringify(settings) } });
    const { signal } = await victim.exited;
    if (signal !== 'SIGKILL' || victim.stderr.length > 0)
      throw new Error(`did not die as it was to\n${victim.output()}`);
    return this.told('started')[0] as string;
  }

  goOn(): Promise<JobsApp> {
    return startJobsApp({ backend: this.backend, providers: [CanvasTasks], options: canvasOptions(this.shared) });
  }

  told(what: CanvasEntry['what']): unknown[] {
    return readCanvasLedger(this.shared.ledger).flatMap((entry) => (entry.what === what ? [entry.value] : []));
  }
}

/** Of all jobs of canvases, how many are in these states. */
export async function countIn({ app }: JobsApp, states: readonly JobType[]): Promise<number> {
  const queues = app.get(Queues, { strict: false });
  const counts = await Promise.all(
    ['default', INTERNAL_QUEUE].map((queue) => queues.get(queue).getJobCounts(...states)),
  );
  return counts.flatMap((each) => Object.values(each)).reduce((sum, count) => sum + count, 0);
}

/** Until no job of any canvas has anything left to do. */
export async function allHasEnded(app: JobsApp): Promise<void> {
  await eventually(async () => (await countIn(app, OPEN)) === 0, { timeout: 40_000 });
}

import { Module, type DynamicModule } from '@nestjs/common';
import { JobsModule, type JobsModuleOptions } from '../../libs/jobs/src/index.js';
import { ChaosTasks, FAILURES } from './chaos-tasks.js';
import { FencedTasks } from './fenced-tasks.js';
import { LedgerFile } from './ledger.js';
import { PaymentTasks } from './payment-tasks.js';
import { TurnWatch } from './turns.js';

export interface ChaosStore {
  readonly connection: NonNullable<JobsModuleOptions['connection']>;
  readonly namespace: string;
}

/** The part of a run that every process of it has to know. */
export interface ChaosSettings extends ChaosStore {
  readonly ledger: string;
  readonly concurrency: number;
  /** The process in slot 0 answers `GET /health`. */
  readonly servesHealth?: boolean;
  /** Worker processes enqueue as well, what this seed says. */
  readonly producesFrom?: number;
  /** Milliseconds; the library's default when there is none. */
  readonly connectTimeout?: number;
  /** Milliseconds; the library's default when there is none. */
  readonly grace?: number;
  /** Milliseconds; {@link LEASE} when there is none. */
  readonly lease?: number;
}

/** Milliseconds. Long enough for a machine under load, and short enough to be waited for often. */
export const LEASE = 1_000;

@Module({})
export class ChaosModule {
  static of(settings: ChaosSettings, workers: boolean): DynamicModule {
    const { connection, namespace, ledger, concurrency, connectTimeout, grace, lease = LEASE } = settings;
    return {
      module: ChaosModule,
      imports: [
        JobsModule.forRoot({
          connection,
          namespace,
          workers,
          lease,
          ...(connectTimeout !== undefined && { connectTimeout }),
          ...(grace !== undefined && { shutdown: { grace } }),
          queues: { default: { concurrency }, [FAILURES]: {} },
        }),
      ],
      providers: [
        { provide: LedgerFile, useFactory: () => new LedgerFile(ledger) },
        TurnWatch,
        ChaosTasks,
        PaymentTasks,
        FencedTasks,
      ],
    };
  }
}

import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import type { Receipt } from './payment.payload.js';

const KEY = /^[0-9a-f]{64}$/;

/** What was charged: one file for each charge, named by its key. Processes that share the folder share the ledger. */
@Injectable()
export class PaymentLedger {
  private readonly folder: string;

  constructor(@Inject(ConfigService) config: EnvironmentConfig) {
    this.folder = resolve(config.get('PAYMENTS_DIR', { infer: true }));
  }

  /** Of all who write under one key at the same time, one does; everybody gets what that one wrote. */
  async writeOnce(key: string, receipt: Receipt): Promise<Receipt> {
    if (!KEY.test(key)) throw new Error(`"${key}" is not the key of a charge.`);
    await mkdir(this.folder, { recursive: true });
    const path = join(this.folder, `${key}.json`);
    const unfinished = join(this.folder, `${key}.${randomUUID()}.part`);
    await writeFile(unfinished, `${JSON.stringify(receipt)}\n`, { flush: true });
    try {
      // A file that is created and then written would be empty after a crash in between. A link is there with its
      // content, and is refused where there is one.
      await link(unfinished, path);
      return receipt;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return JSON.parse(await readFile(path, 'utf8')) as Receipt;
    } finally {
      await rm(unfinished, { force: true });
    }
  }
}

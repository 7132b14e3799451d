import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { receiveCsv } from '../csv/receive-csv.js';
import { ReportStore } from './report-store.js';

@Injectable()
export class CsvUploads {
  constructor(private readonly store: ReportStore) {}

  /** Streams the body to a file and returns the upload's id. */
  async receive(body: Readable, announcedBytes: number | undefined): Promise<string> {
    const id = randomUUID();
    await this.store.uploadFolder();
    await receiveCsv(body, announcedBytes, this.store.uploadPath(id));
    return id;
  }
}

import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { BadRequestException, Injectable, PayloadTooLargeException } from '@nestjs/common';
import { ReportStore } from './report-store.js';

const MEGABYTE = 1024 * 1024;

export const MOST_UPLOAD_BYTES = 10 * MEGABYTE;

@Injectable()
export class CsvUploads {
  constructor(private readonly store: ReportStore) {}

  /** Streams the body to a file and returns the upload's id. Whatever goes wrong, no partial file stays behind. */
  async receive(body: Readable, announcedBytes: number | undefined): Promise<string> {
    if (announcedBytes !== undefined && announcedBytes > MOST_UPLOAD_BYTES) {
      throw tooLarge();
    }
    const id = randomUUID();
    const unfinished = join(await this.store.uploadFolder(), `${id}.part`);
    try {
      await writeLimited(body, unfinished);
      await rename(unfinished, this.store.uploadPath(id));
    } catch (error) {
      await rm(unfinished, { force: true });
      // A client that is still sending reads no answer before its last byte is taken off the wire.
      body.resume();
      throw body.errored ? new BadRequestException('The upload was cut off before it was complete.') : error;
    }
    return id;
  }
}

async function writeLimited(body: Readable, path: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    let size = 0;
    // Destroying the request would close the connection before the 413 is sent.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MOST_UPLOAD_BYTES) {
        throw tooLarge();
      }
      await file.appendFile(chunk);
    }
    // The 202 promises that the job will run, so its input has to survive a crash as well as the job does.
    await file.sync();
  } finally {
    await file.close();
  }
}

function tooLarge(): PayloadTooLargeException {
  const limit = MOST_UPLOAD_BYTES / MEGABYTE;
  return new PayloadTooLargeException(
    `The CSV file is larger than ${limit} MB. Split it, or remove columns it does not need.`,
  );
}

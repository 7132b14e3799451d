import { open, rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { BadRequestException, PayloadTooLargeException, UnsupportedMediaTypeException } from '@nestjs/common';
import type { Request } from 'express';

const MEGABYTE = 1024 * 1024;

export const MOST_UPLOAD_BYTES = 10 * MEGABYTE;

export function mediaType(request: Request): string | undefined {
  return request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
}

export function refuseCompressed(request: Request): void {
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new UnsupportedMediaTypeException('Send the CSV file without compression (no Content-Encoding).');
  }
}

export function announcedBytes(request: Request): number | undefined {
  const announced = request.headers['content-length'];
  return announced === undefined ? undefined : Number(announced);
}

/** Streams the body to a file. Whatever goes wrong, no partial file stays behind. */
export async function receiveCsv(body: Readable, announced: number | undefined, path: string): Promise<void> {
  if (announced !== undefined && announced > MOST_UPLOAD_BYTES) {
    throw tooLarge();
  }
  const unfinished = `${path}.part`;
  try {
    await writeLimited(body, unfinished);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    // A client that is still sending reads no answer before its last byte is taken off the wire.
    body.resume();
    throw body.errored ? new BadRequestException('The upload was cut off before it was complete.') : error;
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

import type { Readable } from 'node:stream';
import { Measure } from './file-result-store.js';
import type { ByteRange, FoundResult, ResultStore, WrittenResult } from './result-store.js';

/** Where an S3-compatible store is. @publicApi */
export interface S3ResultsOptions {
  readonly bucket: string;
  /** Before all keys. @default 'job-results/' */
  readonly prefix?: string;
  /** A client of `@aws-sdk/client-s3`, as the app has configured it. */
  readonly client: S3Client;
}

/** What is used of a client of `@aws-sdk/client-s3`. @publicApi */
export interface S3Client {
  send(command: never): Promise<unknown>;
}

type Sdk = typeof import('@aws-sdk/client-s3');
type Uploads = typeof import('@aws-sdk/lib-storage');

/** A bucket of an S3-compatible store. @internal */
export class S3ResultStore implements ResultStore {
  private readonly prefix: string;

  constructor(
    private readonly options: S3ResultsOptions,
    private readonly sdk: Sdk,
    private readonly uploads: Uploads,
  ) {
    this.prefix = options.prefix ?? 'job-results/';
  }

  async write(key: string, body: Readable, contentType: string): Promise<WrittenResult> {
    const measure = new Measure();
    body.on('error', (error) => measure.destroy(error));
    // Parts of 5 MB, four at a time: how long the body is nobody knows before.
    const upload = new this.uploads.Upload({
      client: this.client,
      params: {
        Bucket: this.options.bucket,
        Key: this.prefix + key,
        Body: body.pipe(measure),
        ContentType: contentType,
      },
    });
    await upload.done();
    return measure.written();
  }

  async read(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const { GetObjectCommand, NoSuchKey } = this.sdk;
    try {
      const { Body } = await this.client.send(
        new GetObjectCommand({
          Bucket: this.options.bucket,
          Key: this.prefix + key,
          ...(range && { Range: `bytes=${range.start}-${range.end}` }),
        }),
      );
      return Body as Readable;
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    const { DeleteObjectsCommand } = this.sdk;
    for (let n = 0; n < keys.length; n += MOST_DELETED) {
      const Objects = keys.slice(n, n + MOST_DELETED).map((key) => ({ Key: this.prefix + key }));
      await this.client.send(
        new DeleteObjectsCommand({ Bucket: this.options.bucket, Delete: { Objects, Quiet: true } }),
      );
    }
  }

  async list(cursor?: string): Promise<{ results: FoundResult[]; cursor?: string }> {
    const { ListObjectsV2Command } = this.sdk;
    const { Contents = [], NextContinuationToken } = await this.client.send(
      new ListObjectsV2Command({ Bucket: this.options.bucket, Prefix: this.prefix, ContinuationToken: cursor }),
    );
    const results = Contents.map(({ Key, LastModified }) => ({
      key: Key!.slice(this.prefix.length),
      writtenAt: LastModified?.getTime() ?? 0,
    }));
    return { results, ...(NextContinuationToken !== undefined && { cursor: NextContinuationToken }) };
  }

  private get client(): InstanceType<Sdk['S3Client']> {
    return this.options.client as unknown as InstanceType<Sdk['S3Client']>;
  }
}

const MOST_DELETED = 1_000;

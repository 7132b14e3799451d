import type { Readable } from 'node:stream';
import type { ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { importPeer } from '../backend/import-peer.js';
import { measured } from './measure.js';
import { isFoundKey, requireFoundKey, requireResultKey, splitFoundKey, UNFINISHED } from './result-key.js';
import type { ByteRange, FoundResult, ResultStore, WrittenResult } from './result-store.js';
import type { S3ResultsOptions } from './s3-results-options.js';

type Sdk = typeof import('@aws-sdk/client-s3');
type Uploads = typeof import('@aws-sdk/lib-storage');

/** Where a listing goes on: among the results, or among the uploads that were not completed. */
interface Place {
  readonly token?: string | undefined;
  readonly upload?: { readonly key?: string | undefined; readonly id?: string | undefined };
}

const PREFIX = 'job-results/';
/** 5 MB each, and as much again while they are made. */
const PARTS_AT_ONCE = 2;
const REMOVED_AT_ONCE = 16;

/** @throws {MissingPeerError} when a package of the SDK is not installed. @internal */
export async function openS3ResultStore(options: S3ResultsOptions, mostListed?: number): Promise<S3ResultStore> {
  const purpose = 'the store of results in S3';
  const sdk = await importPeer('@aws-sdk/client-s3', purpose, () => import('@aws-sdk/client-s3'));
  const uploads = await importPeer('@aws-sdk/lib-storage', purpose, () => import('@aws-sdk/lib-storage'));
  return new S3ResultStore(options, sdk, uploads, mostListed);
}

/** @internal */
export class S3ResultStore implements ResultStore {
  private readonly client: InstanceType<Sdk['S3Client']>;
  private readonly bucket: string;
  private readonly prefix: string;

  /** @param mostListed - the store may list fewer at a time. */
  constructor(
    private readonly options: S3ResultsOptions,
    private readonly sdk: Sdk,
    private readonly uploads: Uploads,
    private readonly mostListed = 1_000,
  ) {
    this.client = options.client as unknown as InstanceType<Sdk['S3Client']>;
    this.bucket = options.bucket;
    this.prefix = options.prefix ?? PREFIX;
  }

  /** What is under a prefix below this one's. */
  within(prefix: string): S3ResultStore {
    const options = { ...this.options, prefix: this.prefix + prefix };
    return new S3ResultStore(options, this.sdk, this.uploads, this.mostListed);
  }

  write(key: string, body: Readable, contentType: string): Promise<WrittenResult> {
    return measured(body, async (bytes) => {
      const at = this.at(requireResultKey(key));
      const upload = new this.uploads.Upload({
        client: this.client,
        queueSize: PARTS_AT_ONCE,
        // A store that cannot abort would answer that instead of what went wrong.
        leavePartsOnError: true,
        params: { ...at, Body: bytes, ContentType: contentType },
      });
      try {
        await upload.done();
      } catch (error) {
        if (upload.uploadId !== undefined) await this.abort(at.Key, upload.uploadId).catch(() => undefined);
        throw error;
      }
    });
  }

  async read(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const at = this.at(requireResultKey(key));
    const left = new AbortController();
    try {
      const Range = range && `bytes=${range.start}-${range.end}`;
      const command = new this.sdk.GetObjectCommand({ ...at, Range });
      const { Body } = await this.client.send(command, { abortSignal: left.signal });
      const body = Body as Readable;
      // What checks the bytes of a response did not always let go of the connection itself.
      body.once('close', () => body.readableEnded || left.abort());
      return body;
    } catch (error) {
      if (nameOf(error) === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  /** One by one: where many are removed in one request, the checksum that it needs is one that not every store knows. */
  async remove(keys: readonly string[]): Promise<void> {
    keys.forEach(requireFoundKey);
    for (let n = 0; n < keys.length; n += REMOVED_AT_ONCE) {
      await Promise.all(keys.slice(n, n + REMOVED_AT_ONCE).map((key) => this.removeOne(key)));
    }
  }

  /** First the results, then the uploads that were not completed. */
  async list(cursor?: string): Promise<{ results: FoundResult[]; cursor?: string }> {
    const place: Place = cursor === undefined ? {} : JSON.parse(cursor);
    const { results, next } = place.upload ? await this.listUploads(place.upload) : await this.listResults(place.token);
    const ours = results.filter(({ key }) => isFoundKey(key));
    return { results: ours, ...(next && { cursor: JSON.stringify(next) }) };
  }

  private async listResults(token: string | undefined): Promise<{ results: FoundResult[]; next: Place }> {
    const command = new this.sdk.ListObjectsV2Command({
      Bucket: this.bucket,
      Prefix: this.prefix,
      MaxKeys: this.mostListed,
      ContinuationToken: token,
    });
    const { Contents = [], NextContinuationToken } = await this.client.send(command);
    const results = Contents.map(({ Key = '', LastModified }) => ({
      key: Key.slice(this.prefix.length),
      writtenAt: LastModified?.getTime() ?? Date.now(),
    }));
    return { results, next: NextContinuationToken === undefined ? { upload: {} } : { token: NextContinuationToken } };
  }

  private async listUploads({
    key,
    id,
  }: NonNullable<Place['upload']>): Promise<{ results: FoundResult[]; next?: Place | undefined }> {
    const command = new this.sdk.ListMultipartUploadsCommand({
      Bucket: this.bucket,
      Prefix: this.prefix,
      MaxUploads: this.mostListed,
      KeyMarker: key,
      UploadIdMarker: id,
    });
    const answer = await this.client.send(command).catch(noneIfNotSupported);
    const results = (answer.Uploads ?? []).map(({ Key = '', UploadId = '', Initiated }) => ({
      key: `${Key.slice(this.prefix.length)}${UNFINISHED}${encodeURIComponent(UploadId)}`,
      writtenAt: Initiated?.getTime() ?? Date.now(),
    }));
    if (!answer.IsTruncated) return { results };
    return { results, next: { upload: { key: answer.NextKeyMarker, id: answer.NextUploadIdMarker } } };
  }

  private async removeOne(found: string): Promise<void> {
    const [key, uploadId] = splitFoundKey(found);
    const at = this.at(key);
    if (uploadId !== undefined) await this.abort(at.Key, decodeURIComponent(uploadId));
    else await this.client.send(new this.sdk.DeleteObjectCommand(at));
  }

  private async abort(Key: string, UploadId: string): Promise<void> {
    const command = new this.sdk.AbortMultipartUploadCommand({ Bucket: this.bucket, Key, UploadId });
    await this.client.send(command).catch((error: unknown) => {
      if (nameOf(error) !== 'NoSuchUpload') throw error;
    });
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.prefix + key };
  }
}

function nameOf(error: unknown): string | undefined {
  return (error as Partial<Error>).name;
}

function noneIfNotSupported(error: unknown): Partial<ListMultipartUploadsCommandOutput> {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  const isNotSupported = [405, 501].includes($metadata?.httpStatusCode ?? 0) || nameOf(error) === 'NotImplemented';
  if (isNotSupported) return {};
  throw error;
}

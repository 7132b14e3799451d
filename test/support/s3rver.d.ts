/** What is used of s3rver, which has no types. */
declare module 's3rver' {
  import type { RequestListener } from 'node:http';

  interface Options {
    directory: string;
    silent: boolean;
    vhostBuckets: boolean;
    configureBuckets: { name: string }[];
  }

  interface Listing {
    startAfter?: string;
    maxKeys: number;
  }

  interface Listed {
    objects: { key: string }[];
    isTruncated: boolean;
  }

  export interface Store {
    getResourcePath(bucket: string, key: string | undefined, resource: string): string;
    getObject(bucket: string, key: string, range?: { start?: number; end?: number }): Promise<unknown>;
    deleteObject(bucket: string, key: string): Promise<void>;
    listObjects(bucket: string, which: Listing): Promise<Listed>;
  }

  export default class S3rver {
    constructor(options: Options);
    readonly store: Store;
    configureBuckets(): Promise<unknown>;
    callback(): RequestListener;
  }
}

/**
 * A bucket of Amazon S3 or of a store that speaks its protocol. It needs the packages `@aws-sdk/client-s3` and
 * `@aws-sdk/lib-storage`.
 *
 * The client must be allowed `s3:PutObject`, `s3:GetObject`, `s3:DeleteObject`, `s3:AbortMultipartUpload`, `s3:ListBucket`
 * and `s3:ListBucketMultipartUploads`. Without `s3:ListBucket` a result that is gone cannot be told from one that may not
 * be read.
 *
 * Results go there in parts of 5 MB, two at a time, so one has at most 48 GB. A process that is killed leaves the parts of
 * its results behind, which cost money and which nobody sees in the bucket: they are found and removed like results, where
 * the store can list them (`ListMultipartUploads`). Where it cannot, give the bucket a lifecycle rule for multipart uploads
 * that were not completed.
 *
 * Clients send checksums by default that stores other than Amazon's may not know. Results are checked by themselves, so
 * both settings of the example are safe everywhere, and spare a second checksum.
 *
 * @example
 * ```ts
 * import { S3Client } from '@aws-sdk/client-s3';
 * import type { S3ResultsOptions } from 'nestjs-jobs';
 *
 * export const reports: S3ResultsOptions = {
 *   bucket: 'reports',
 *   prefix: 'billing-app/job-results/',
 *   client: new S3Client({
 *     region: 'eu-central-1',
 *     requestChecksumCalculation: 'WHEN_REQUIRED',
 *     responseChecksumValidation: 'WHEN_REQUIRED',
 *   }),
 * };
 * ```
 *
 * @publicApi
 */
export interface S3ResultsOptions {
  readonly bucket: string;
  /**
   * Before all keys, and before what tells the results of one store of jobs from those of another: several apps may share it.
   *
   * @default 'job-results/'
   */
  readonly prefix?: string;
  /** An `S3Client` of `@aws-sdk/client-s3`, as the app has configured it, and which the app destroys. */
  readonly client: { send(command: never): Promise<unknown> };
}

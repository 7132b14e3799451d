import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildHandle } from './child-process.js';
import { dieWithParent } from './services/die-with-parent.mjs';

const PROCESS = fileURLToPath(new URL('s3-server-process.mjs', import.meta.url));
/** It knows no others. */
export const S3_CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly kill: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * An S3-compatible server with one bucket, in a temporary directory.
 *
 * @param lists - false: it is as simple as such servers may be, and cannot list uploads, nor abort one.
 */
export async function startS3Server({ lists = true } = {}): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'jobs-s3-'));
  const bucket = 'results';
  // Where a listing goes on it writes down in a cipher that is not in use any more.
  const env = { NODE_OPTIONS: '--openssl-legacy-provider' };
  const child = new ChildHandle(PROCESS, { env, args: [directory, bucket, lists ? 'uploads' : ''] });
  const release = dieWithParent({ pid: child.pid, directory });
  const [, port] = await child.waitForLine(/^LISTENING (\d+)$/);
  const kill = async (): Promise<void> => void (await child.kill('SIGKILL'));
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    kill,
    stop: async () => {
      await kill();
      release();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

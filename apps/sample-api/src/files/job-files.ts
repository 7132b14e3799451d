import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

// No slash and no dot in front, so an id is always the name of one folder inside ours.
const JOB_ID = /^[a-z][a-z0-9-]*_[A-Za-z0-9._-]{1,128}$/;
const UPLOAD_ID = /^[0-9a-f-]{36}$/;
const UPLOAD = /^[0-9a-f-]{36}\.csv(\.part)?$/;

export function isJobId(id: string): boolean {
  return JOB_ID.test(id);
}

export function folderOfJob(root: string, jobId: string): string {
  if (!isJobId(jobId)) {
    throw new Error(`"${jobId}" is not the id of a job.`);
  }
  return join(root, jobId);
}

export function uploadFolder(root: string): string {
  return join(root, 'uploads');
}

/** Whether a file in the folder of uploads is one, complete or not. */
export function isUpload(name: string): boolean {
  return UPLOAD.test(name);
}

export function uploadPath(root: string, id: string): string {
  if (!UPLOAD_ID.test(id)) {
    throw new Error(`"${id}" is not the id of an upload.`);
  }
  return join(uploadFolder(root), `${id}.csv`);
}

/** Nobody ever sees half a file: it gets its name when it is complete, and replaces what an earlier run left. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.part`;
  try {
    await writeFile(unfinished, content, { flush: true });
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

export function undefinedWhenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') {
    throw error;
  }
}

import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Environment } from '../config/environment.js';
import type { ReportSummary } from './generate-report.payload.js';

// No slash and no dot in front, so an id is always the name of one folder inside ours.
const JOB_ID = /^[a-z][a-z0-9-]*_[A-Za-z0-9._-]{1,128}$/;
const UPLOAD_ID = /^[0-9a-f-]{36}$/;
const RESULT_FILE = 'result.json';

/** The folder with uploads and finished reports. API and workers on different machines have to share it. */
@Injectable()
export class ReportStore {
  private readonly root: string;

  constructor(config: ConfigService<Environment, true>) {
    this.root = resolve(config.get('REPORTS_DIR', { infer: true }));
  }

  folderOf(jobId: string): string {
    if (!JOB_ID.test(jobId)) {
      throw new Error(`"${jobId}" is not the id of a job.`);
    }
    return join(this.root, jobId);
  }

  /** Undefined when there is no such report (yet). The caller closes the file. */
  async openFile(jobId: string, name: string): Promise<FileHandle | undefined> {
    if (!JOB_ID.test(jobId)) {
      return undefined;
    }
    return open(join(this.root, jobId, name)).catch(undefinedWhenMissing);
  }

  /** The summary of a report that was finished by an earlier run of the same job. */
  async finishedSummary(jobId: string): Promise<ReportSummary | undefined> {
    const text = await readFile(join(this.folderOf(jobId), RESULT_FILE), 'utf8').catch(undefinedWhenMissing);
    return text === undefined ? undefined : (JSON.parse(text) as ReportSummary);
  }

  async finish(jobId: string, summary: ReportSummary): Promise<void> {
    const unfinished = join(this.folderOf(jobId), `${RESULT_FILE}.${randomUUID()}.part`);
    await writeFile(unfinished, JSON.stringify(summary));
    await rename(unfinished, join(this.folderOf(jobId), RESULT_FILE));
  }

  /** Removes whatever there is of a report. */
  async discard(jobId: string): Promise<void> {
    await rm(this.folderOf(jobId), { recursive: true, force: true });
  }

  async uploadFolder(): Promise<string> {
    const folder = join(this.root, 'uploads');
    await mkdir(folder, { recursive: true });
    return folder;
  }

  uploadPath(id: string): string {
    if (!UPLOAD_ID.test(id)) {
      throw new Error(`"${id}" is not the id of an upload.`);
    }
    return join(this.root, 'uploads', `${id}.csv`);
  }

  async removeUpload(id: string): Promise<void> {
    await rm(this.uploadPath(id), { force: true });
  }
}

function undefinedWhenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') {
    throw error;
  }
}

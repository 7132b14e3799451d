import { lstat, mkdir, open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Environment } from '../config/environment.js';
import {
  folderOfJob,
  isJobId,
  isUpload,
  undefinedWhenMissing,
  uploadFolder,
  uploadPath,
  writeWhole,
} from '../files/job-files.js';
import type { ReportSummary } from './generate-report.payload.js';

const RESULT_FILE = 'result.json';

/** What {@link ReportStore.removeUntouchedSince} has removed. */
export interface Removed {
  reports: number;
  uploads: number;
}

/** The folder with uploads and finished reports. API and workers on different machines have to share it. */
@Injectable()
export class ReportStore {
  private readonly root: string;

  constructor(config: ConfigService<Environment, true>) {
    this.root = resolve(config.get('REPORTS_DIR', { infer: true }));
  }

  folderOf(jobId: string): string {
    return folderOfJob(this.root, jobId);
  }

  /** Undefined when there is no such report (yet). The caller closes the file. */
  async openFile(jobId: string, name: string): Promise<FileHandle | undefined> {
    if (!isJobId(jobId)) {
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
    await writeWhole(join(this.folderOf(jobId), RESULT_FILE), JSON.stringify(summary));
  }

  /** Removes whatever there is of a report. */
  async discard(jobId: string): Promise<void> {
    await rm(this.folderOf(jobId), { recursive: true, force: true });
  }

  /** Removes reports and uploads that nobody has written to since then. What else lies in the folders stays. */
  async removeUntouchedSince(time: number, signal: AbortSignal): Promise<Removed> {
    return {
      uploads: await removeOld(uploadFolder(this.root), isUpload, time, signal),
      reports: await removeOld(this.root, isJobId, time, signal),
    };
  }

  async uploadFolder(): Promise<string> {
    const folder = uploadFolder(this.root);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  uploadPath(id: string): string {
    return uploadPath(this.root, id);
  }

  async removeUpload(id: string): Promise<void> {
    await rm(this.uploadPath(id), { force: true });
  }
}

async function removeOld(
  folder: string,
  isOurs: (name: string) => boolean,
  time: number,
  signal: AbortSignal,
): Promise<number> {
  const names = (await readdir(folder).catch(undefinedWhenMissing)) ?? [];
  let removed = 0;
  for (const name of names.filter(isOurs)) {
    signal.throwIfAborted();
    const path = join(folder, name);
    const found = await lstat(path).catch(undefinedWhenMissing);
    // A folder changes when a file in it gets its name.
    if (!found || found.mtimeMs >= time) continue;
    await rm(path, { recursive: true, force: true });
    removed++;
  }
  return removed;
}

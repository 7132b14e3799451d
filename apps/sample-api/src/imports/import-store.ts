import { access, mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import { InputProblem } from '../csv/input-problem.js';
import {
  folderOfJob,
  isJobId,
  undefinedWhenMissing,
  uploadFolder,
  uploadPath,
  writeWhole,
} from '../files/job-files.js';
import type { ImportNotice, ImportReport } from './import.payload.js';

export const SUMMARY_FILE = 'summary.json';

/** The folder with uploads, summaries and notices. API and workers on different machines have to share it. */
@Injectable()
export class ImportStore {
  private readonly root: string;

  constructor(@Inject(ConfigService) config: EnvironmentConfig) {
    this.root = resolve(config.get('IMPORTS_DIR', { infer: true }));
  }

  async uploadPath(id: string): Promise<string> {
    await mkdir(uploadFolder(this.root), { recursive: true });
    return uploadPath(this.root, id);
  }

  /** @throws {@link InputProblem} when it is not there (any more). */
  async findUpload(id: string): Promise<string> {
    const path = uploadPath(this.root, id);
    await access(path).catch(() => {
      throw new InputProblem(
        'FILE_MISSING',
        'The uploaded file is not there any more. Send it again; if this happens to every upload, the API and the workers do not share one IMPORTS_DIR.',
      );
    });
    return path;
  }

  async removeUpload(id: string): Promise<void> {
    await rm(uploadPath(this.root, id), { force: true });
  }

  async writeSummary(jobId: string, report: ImportReport): Promise<void> {
    const folder = folderOfJob(this.root, jobId);
    await mkdir(folder, { recursive: true });
    await writeWhole(join(folder, SUMMARY_FILE), `${JSON.stringify(report, undefined, 2)}\n`);
  }

  /** Undefined when there is no such import (yet). The caller closes the file. */
  async openSummary(jobId: string): Promise<FileHandle | undefined> {
    if (!isJobId(jobId)) return undefined;
    return open(join(this.root, jobId, SUMMARY_FILE)).catch(undefinedWhenMissing);
  }

  /** A line in a file of its own, whose name makes a second time replace the first. */
  async writeNotice(notice: ImportNotice): Promise<void> {
    const folder = join(this.root, 'notices');
    await mkdir(folder, { recursive: true });
    await writeWhole(`${folderOfJob(folder, notice.import)}.json`, `${JSON.stringify(notice)}\n`);
  }
}

import { Injectable } from '@nestjs/common';
import { chain, group, type JobContext, NonRetryableError, Task, task } from 'nestjs-jobs';
import { InputProblem } from '../csv/input-problem.js';
import { checkChunk } from './check-chunk.js';
import {
  type CheckChunk,
  type ChunkReport,
  type FinishImport,
  type ImportNotice,
  type ImportReport,
  type ImportResult,
  type ImportSummary,
  type ImportUpload,
  IMPORTS_QUEUE,
  type MergeReports,
  type TellOfImport,
} from './import.payload.js';
import { ImportStore, SUMMARY_FILE } from './import-store.js';
import { mergeReports } from './merge-reports.js';
import { cutUpload } from './read-upload.js';

@Injectable()
export class Imports {
  constructor(private readonly store: ImportStore) {}

  /**
   * The whole import: its id is the one that clients have, and its result is that of the canvas which takes its place.
   * It waits for that without a slot.
   */
  @Task({ name: 'imports.run', queue: IMPORTS_QUEUE })
  async run({ upload, layout }: ImportUpload, job: JobContext): Promise<ImportResult> {
    await job.stage('SPLITTING');
    const chunks = await this.read(upload, (path) => cutUpload(path, layout, job.signal));
    await job.stage('CHECKING', { chunks: chunks.length });
    const { id } = job;
    const whole = chain(
      // A chunk that is refused is told of in the report, and the others are imported.
      group(
        chunks.map((chunk) => task(Imports, 'check').s({ upload, layout, chunk })),
        { allowPartial: true },
      ),
      task(Imports, 'merge').s({ chunks }, { into: 'outcomes' }),
      group([
        task(Imports, 'writeSummary').s({ id }, { into: 'report' }),
        task(Imports, 'notify').s({ id }, { into: 'report' }),
      ]),
      task(Imports, 'finish').s({ upload }, { into: 'told' }),
    );
    return job.replaceWith(whole.linkError(task(Imports, 'discard').si({ upload })));
  }

  @Task({ name: 'imports.check', queue: IMPORTS_QUEUE })
  check({ upload, ...what }: CheckChunk, job: JobContext): Promise<ChunkReport> {
    return this.read(upload, (path) => checkChunk(path, what, job.signal));
  }

  @Task({ name: 'imports.merge', queue: IMPORTS_QUEUE })
  async merge(reports: MergeReports): Promise<ImportReport> {
    return mergeReports(reports);
  }

  @Task({ name: 'imports.write-summary', queue: IMPORTS_QUEUE })
  async writeSummary({ id, report }: TellOfImport): Promise<ImportSummary> {
    await this.store.writeSummary(id, report);
    return { ...report, files: { summary: `/imports/${id}/${SUMMARY_FILE}` } };
  }

  /** Stands in for a mail. */
  @Task({ name: 'imports.notify', queue: IMPORTS_QUEUE })
  async notify({ id, report }: TellOfImport): Promise<ImportNotice> {
    const { rows, accepted, rejected, refused } = report;
    const text = `${accepted} of ${rows} rows imported, ${rejected} rejected, ${refused} in chunks that were refused`;
    const notice = { import: id, text };
    await this.store.writeNotice(notice);
    return notice;
  }

  @Task({ name: 'imports.finish', queue: IMPORTS_QUEUE })
  async finish({ upload, told: [summary, notice] }: FinishImport): Promise<ImportResult> {
    await this.store.removeUpload(upload);
    return { ...summary, notice: notice.text };
  }

  /** When an import has failed for good; and later for each, since one that is cancelled has no other end. */
  @Task({ name: 'imports.discard', queue: IMPORTS_QUEUE })
  async discard({ upload }: { upload: string }): Promise<void> {
    await this.store.removeUpload(upload);
  }

  private async read<T>(upload: string, from: (path: string) => Promise<T>): Promise<T> {
    try {
      return await from(await this.store.findUpload(upload));
    } catch (error) {
      if (error instanceof InputProblem) throw new NonRetryableError(error.message, { code: error.code });
      throw error;
    }
  }
}

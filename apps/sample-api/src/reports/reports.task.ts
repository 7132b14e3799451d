import { access } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { JobCancelledError, Locked, NonRetryableError, RateLimited, Task, type JobContext } from 'nestjs-jobs';
import { datasetPath } from './datasets.js';
import { CSV_FILE, PDF_FILE } from './generate-report.js';
import {
  type GenerateReport,
  type ReportSource,
  type ReportSummary,
  REPORTS_QUEUE,
} from './generate-report.payload.js';
import { InputProblem } from '../csv/input-problem.js';
import { ReportStore } from './report-store.js';
import { ReportThreads } from './report-threads.js';

/** Changed at run time: `jobs.limits.set(USER_LIMIT, '100/m')`. */
export const USER_LIMIT = 'reports-per-user';

@Injectable()
export class Reports {
  constructor(
    private readonly store: ReportStore,
    private readonly threads: ReportThreads,
  ) {}

  /**
   * One at a time of each source; of different sources as many as REPORT_CONCURRENCY says. Who gives a name may have so
   * many in a minute; who gives none has a limit for each report, which is none.
   */
  @Task({ name: 'reports.generate', queue: REPORTS_QUEUE })
  @RateLimited({ name: USER_LIMIT, limit: '20/m', key: (_report, { headers, job }) => headers['user'] ?? job?.id })
  @Locked({ key: ({ source }) => lockOf(source), ttl: '1m' })
  async generate(payload: GenerateReport, job: JobContext): Promise<ReportSummary> {
    const finished = await this.store.finishedSummary(job.id);
    const summary = finished ?? (await this.make(payload, job));
    await this.forget(payload.source);
    return summary;
  }

  private async make({ source, groupBy, measure }: GenerateReport, job: JobContext): Promise<ReportSummary> {
    const dataset = source.kind === 'dataset' ? source.name : 'uploaded file';
    try {
      const order = {
        csvPath: await this.pathOf(source),
        folder: this.store.folderOf(job.id),
        source: dataset,
        groupBy,
        measure,
      };
      const figures = await this.threads.generate(order, job.signal, async (news) => {
        await ('stage' in news ? job.stage(news.stage) : job.progress(news.percent));
      });
      await job.log(
        `${figures.rows} rows in ${figures.groupCount} groups, ${figures.skipped} without a value left out`,
      );
      const summary = { dataset, ...figures, files: filesOf(job.id) };
      await this.store.finish(job.id, summary);
      return summary;
    } catch (error) {
      // Another attempt would need the upload, and could go on with what is there. After a cancellation there is none.
      if (job.signal.reason instanceof JobCancelledError) {
        await this.store.discard(job.id);
        await this.forget(source);
      }
      if (error instanceof InputProblem) {
        await this.forget(source);
        throw new NonRetryableError(error.message, { code: error.code });
      }
      throw error;
    }
  }

  private async pathOf(source: ReportSource): Promise<string> {
    if (source.kind === 'dataset') {
      const path = datasetPath(source.name);
      if (path === undefined) {
        throw new InputProblem('FILE_MISSING', `This version of the app has no dataset "${source.name}".`);
      }
      return path;
    }
    const path = this.store.uploadPath(source.id);
    await access(path).catch(() => {
      throw new InputProblem(
        'FILE_MISSING',
        'The uploaded file is not there any more. Send it again; if this happens to every upload, the API and the workers do not share one REPORTS_DIR.',
      );
    });
    return path;
  }

  /** An upload is kept for as long as another attempt may need it, and no longer. */
  private async forget(source: ReportSource): Promise<void> {
    if (source.kind === 'upload') {
      await this.store.removeUpload(source.id);
    }
  }
}

function lockOf(source: ReportSource): string {
  return `report/${source.kind}/${source.kind === 'dataset' ? source.name : source.id}`;
}

function filesOf(jobId: string): ReportSummary['files'] {
  return { pdf: `/reports/${jobId}/${PDF_FILE}`, csv: `/reports/${jobId}/${CSV_FILE}` };
}

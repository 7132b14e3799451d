import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { columnIndex, readHeader } from '../csv/csv-header.js';
import { InputProblem } from '../csv/input-problem.js';
import { readGroups } from './csv/read-groups.js';
import { chooseShownGroups } from './output/reading-order.js';
import { reportPdf } from './output/report-pdf.js';
import { summaryCsv } from './output/summary-csv.js';
import { byRowsThenMean, describeGroup } from './statistics/group-statistics.js';
import type { ReportSummary } from './generate-report.payload.js';

export const PDF_FILE = 'report.pdf';
export const CSV_FILE = 'summary.csv';

const MOST_GROUPS_IN_RESULT = 50;
const LONGEST_NAME_IN_RESULT = 100;
const UNFINISHED = '.part';

export type ReportStage = 'VALIDATING' | 'PROCESSING' | 'RENDERING';

export interface ReportOrder {
  csvPath: string;
  folder: string;
  source: string;
  groupBy: string;
  measure: string;
}

export interface ReportObserver {
  stage(name: ReportStage): void;
  progress(percent: number): void;
}

export type ReportFigures = Omit<ReportSummary, 'dataset' | 'files'>;

/** Reads the CSV file and writes report.pdf and summary.csv into the folder. Knows nothing of jobs, threads or Nest. */
export async function generateReport(order: ReportOrder, observer: ReportObserver): Promise<ReportFigures> {
  const { groupBy, measure } = order;
  observer.stage('VALIDATING');
  const header = await readHeader(order.csvPath, [groupBy, measure]);
  columnIndex(header, groupBy, 'groupBy');
  columnIndex(header, measure, 'measure');
  observer.progress(5);

  observer.stage('PROCESSING');
  const { rows, skipped, values } = await readGroups(order.csvPath, header, order, (share) => {
    observer.progress(5 + Math.floor(share * 70));
  });
  const groups = Array.from(values, ([group, measures]) => describeGroup(group, measures)).toSorted(byRowsThenMean);
  const total = describeGroup('', Array.from(values.values()).flat());
  // The total's sum is the first to leave what a number can hold, but a group's may do so where others outweigh it.
  if (![total, ...groups].every(({ sum, mean }) => Number.isFinite(sum) && Number.isFinite(mean))) {
    throw new InputProblem(
      'VALUE_TOO_LARGE',
      `The values in the column ${JSON.stringify(measure)} are too large to be added up. Correct them, or choose another column as measure.`,
    );
  }
  const figures = { groupBy, measure, rows, skipped, groupCount: groups.length, total };
  observer.progress(80);

  observer.stage('RENDERING');
  await prepareFolder(order.folder);
  await writeWhole(order.folder, CSV_FILE, Readable.from(summaryCsv(groupBy, groups)));
  observer.progress(85);
  const shown = chooseShownGroups(groups, values);
  await writeWhole(
    order.folder,
    PDF_FILE,
    reportPdf({ ...figures, source: order.source, shown, generatedAt: new Date() }),
  );
  observer.progress(100);
  return { ...figures, groups: groups.slice(0, MOST_GROUPS_IN_RESULT).map(withShortName) };
}

async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const leftovers = (await readdir(folder)).filter((name) => name.endsWith(UNFINISHED));
  await Promise.all(leftovers.map((name) => rm(join(folder, name), { force: true })));
}

/** Nobody ever sees half a file: it gets its name when it is complete, and replaces what an earlier run left. */
async function writeWhole(folder: string, name: string, content: NodeJS.ReadableStream): Promise<void> {
  const unfinished = join(folder, `${name}.${randomUUID()}${UNFINISHED}`);
  await pipeline(content, createWriteStream(unfinished));
  await rename(unfinished, join(folder, name));
}

function withShortName<T extends { group: string }>(statistics: T): T {
  const { group } = statistics;
  return group.length > LONGEST_NAME_IN_RESULT
    ? { ...statistics, group: `${group.slice(0, LONGEST_NAME_IN_RESULT)}…` }
    : statistics;
}

import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { JobStatus } from 'nestjs-jobs';
import type { ReportSummary } from '../reports/generate-report.payload.js';
import { ApiClient } from './api-client.js';
import { type DemoOptions, readDemoOptions, USAGE, UsageError } from './demo-options.js';
import type { JobNews } from './job-news.js';
import { OwnServer } from './own-server.js';
import { progressDisplay } from './progress-display.js';
import { MOST_ROWS, summaryTable } from './summary-table.js';

const OUTPUT_FOLDER = 'demo-output';

let ownServer: Promise<OwnServer> | undefined;

for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => void stopOwnServer().finally(() => process.exit(exitCode)));
}

// The reader of a pipe may have seen enough, as in `npm run demo | head`.
process.stdout.on('error', () => void stopOwnServer().finally(() => process.exit(1)));

try {
  const options = await readDemoOptions(process.argv.slice(2));
  await (options ? runDemo(options) : say(USAGE));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n${error instanceof UsageError ? `\n${USAGE}\n` : ''}`);
  process.exitCode = 1;
} finally {
  await stopOwnServer();
}

async function runDemo(options: DemoOptions): Promise<void> {
  const { source, groupBy, measure, live } = options;
  const client = await findServer();
  const report = await client.startReport(options);
  const name = 'dataset' in source ? source.dataset : source.name;
  say(`Report of ${measure} by ${groupBy} from ${name}: job ${report.id}`);
  const { state, result, error } = await watch(live ? client.followLive(report) : client.follow(report));
  if (state !== 'succeeded') {
    throw new Error(
      `The job ${state}${error?.code ? ` (${error.code})` : ''}: ${error?.message ?? 'no reason was given'}`,
    );
  }
  const summary = result as ReportSummary;
  say(summaryTable(summary));
  say(describeSize(summary));
  await mkdir(OUTPUT_FOLDER, { recursive: true });
  await save(client, summary.files.pdf, `${name}-report.pdf`);
  await save(client, summary.files.csv, `${name}-summary.csv`);
}

async function findServer(): Promise<ApiClient> {
  const port = Number(process.env['PORT']) || 3000;
  const url = process.env['DEMO_URL'] ?? `http://localhost:${port}`;
  const client = new ApiClient(url);
  if (await client.isAlive()) {
    say(`Using the server at ${url}`);
    return client;
  }
  say(`No server answers at ${url}: starting one for this demo`);
  ownServer = OwnServer.start();
  return new ApiClient((await ownServer).url);
}

async function watch(news: AsyncIterable<JobNews>): Promise<JobStatus> {
  const display = progressDisplay(process.stdout);
  try {
    let last: JobStatus | undefined;
    for await (const each of news) {
      display.show(each);
      if (each.kind === 'status') last = each.status;
    }
    if (last === undefined) {
      throw new Error('The job could not be followed.');
    }
    return last;
  } finally {
    display.end();
  }
}

async function save(client: ApiClient, path: string, name: string): Promise<void> {
  const target = join(OUTPUT_FOLDER, name);
  await client.download(path, target);
  say(`Saved ./${relative('.', target)}`);
}

function describeSize({ rows, skipped, groupCount }: ReportSummary): string {
  const left = skipped > 0 ? `, ${skipped} without a value left out` : '';
  const hidden = groupCount > MOST_ROWS ? ` (the ${MOST_ROWS} with the most rows are shown)` : '';
  return `${rows} rows${left}; ${groupCount} groups${hidden}`;
}

async function stopOwnServer(): Promise<void> {
  const server = await ownServer?.catch(() => undefined);
  await server?.stop();
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ConfigService } from '@nestjs/config';
import { JobContext } from 'nestjs-jobs';
import { JobsHttpModule } from 'nestjs-jobs/http';
import request from 'supertest';
import { CsvUploads } from '../../apps/sample-api/src/reports/csv-uploads.js';
import type { ReportFigures, ReportOrder } from '../../apps/sample-api/src/reports/generate-report.js';
import { REPORTS_QUEUE } from '../../apps/sample-api/src/reports/generate-report.payload.js';
import { ReportStore } from '../../apps/sample-api/src/reports/report-store.js';
import { ReportThreads } from '../../apps/sample-api/src/reports/report-threads.js';
import { ReportsController } from '../../apps/sample-api/src/reports/reports.controller.js';
import { describeGroup } from '../../apps/sample-api/src/reports/statistics/group-statistics.js';
import { Reports, USER_LIMIT } from '../../apps/sample-api/src/reports/reports.task.js';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';
import { signal } from '../support/signals.js';

const TOTAL = describeGroup('', [1]);

/** In the place of the threads: reports that last until the test lets them end. */
class HeldReports {
  /** The jobs whose reports are being made, with what these are made of. */
  readonly inside = new Map<string, string>();
  /** In the order in which they began. */
  readonly begun: string[] = [];
  readonly headers: JobContext['headers'][] = [];
  mostOfOne = 0;
  readonly open = signal();

  async generate({ csvPath, folder, groupBy, measure }: ReportOrder): Promise<ReportFigures> {
    const id = basename(folder);
    this.inside.set(id, csvPath);
    this.begun.push(id);
    this.headers.push(JobContext.current()!.headers);
    const ofThisOne = [...this.inside.values()].filter((each) => each === csvPath);
    this.mostOfOne = Math.max(this.mostOfOne, ofThisOne.length);
    await this.open.reached;
    await mkdir(folder, { recursive: true });
    this.inside.delete(id);
    return { groupBy, measure, rows: 0, skipped: 0, groupCount: 0, total: TOTAL, groups: [] };
  }
}

describe.each(backends)('reports of the sample API on $name', (backend) => {
  let directory: string;
  let running: JobsApp;
  let reports: HeldReports;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reports-'));
    reports = new HeldReports();
    running = await startJobsApp({
      backend,
      controllers: [ReportsController],
      providers: [
        Reports,
        ReportStore,
        CsvUploads,
        { provide: ReportThreads, useValue: reports },
        { provide: ConfigService, useValue: new ConfigService({ REPORTS_DIR: directory }) },
      ],
      imports: [JobsHttpModule.forRoot()],
      options: { queues: { [REPORTS_QUEUE]: { concurrency: 4 } } },
    });
  });
  afterEach(async () => {
    reports.open.reach();
    await running.close();
    await rm(directory, { recursive: true, force: true });
  });

  function post(headers: Record<string, string> = {}): request.Test {
    return request(running.app.getHttpServer() as never)
      .post('/reports')
      .set(headers);
  }

  async function idOf(posted: request.Test): Promise<string> {
    const { status, body } = await posted;
    expect(status).toBe(202);
    return (body as { id: string }).id;
  }

  const ofDataset = (dataset: string, headers?: Record<string, string>): Promise<string> =>
    idOf(post(headers).send({ dataset, groupBy: 'a', measure: 'b' }));

  const ofUpload = (): Promise<string> =>
    idOf(post().query({ groupBy: 'a', measure: 'b' }).set('content-type', 'text/csv').send('a,b\n1,2\n'));

  async function isWaiting(id: string, key: string): Promise<void> {
    const waitingFor = { kind: 'lock', key };
    await eventually(async () => expect(await running.jobs.job(id).status()).toMatchObject({ waitingFor }));
  }

  it('[I3] are made one after the other of one dataset, and beside each other of different ones', async () => {
    const weather = [await ofDataset('seattle-weather')];
    await eventually(() => reports.begun.length === 1);
    for (let n = 0; n < 5; n++) {
      weather.push(await ofDataset('seattle-weather'));
      await isWaiting(weather.at(-1)!, 'report/dataset/seattle-weather');
    }
    // Those that wait take none of the four slots.
    const others = [await ofDataset('airports'), await ofUpload(), await ofUpload()];
    await eventually(() => expect([...reports.inside.keys()].toSorted()).toEqual([weather[0]!, ...others].toSorted()));

    reports.open.reach();
    for (const id of [...weather, ...others]) {
      await running.jobs.job(id).result();
      const status = await running.jobs.job(id).status();
      expect(status).toMatchObject({ state: 'succeeded', attempt: 1 });
      expect(status.waitingFor).toBeUndefined();
    }
    expect(reports.begun.filter((id) => weather.includes(id))).toEqual(weather);
    expect(reports.mostOfOne).toBe(1);
  });

  it('[L4] wait for their time when a user has asked for too many, and hold up nobody else', async () => {
    reports.open.reach();
    await running.jobs.limits.set(USER_LIMIT, { limit: '2/h', burst: 2 });
    const datasets = ['seattle-weather', 'airports', 'stocks'];
    const ids: string[] = [];
    for (const dataset of datasets) ids.push(await ofDataset(dataset, { 'x-user': 'ada' }));
    await eventually(() => reports.begun.length === 2);
    const late = ids.find((id) => !reports.begun.includes(id))!;
    const waitingFor = { kind: 'limit', key: `${USER_LIMIT} ada`, until: expect.any(String) };
    await eventually(async () => expect(await running.jobs.job(late).status()).toMatchObject({ waitingFor }));
    // Of the same dataset, and waits for nobody: who waits for a limit holds no lock.
    await running.jobs.job(await ofDataset('stocks', { 'x-user': 'bob' })).result();
    for (const dataset of datasets) await running.jobs.job(await ofDataset(dataset)).result();
    expect(await running.jobs.job(late).status()).toMatchObject({ state: 'pending', waitingFor });
    expect(reports.begun).not.toContain(late);
  });

  it('take along who asked for them, when that is a name', async () => {
    reports.open.reach();
    for (const headers of [undefined, { 'x-user': 'ada.l@example-1' }]) {
      await running.jobs.job(await ofDataset('airports', headers)).result();
    }
    expect(reports.headers).toEqual([{}, { user: 'ada.l@example-1' }]);
    for (const user of ['', 'a b', 'a,b', 'a'.repeat(65)]) {
      const { status, text } = await post({ 'x-user': user }).send({ dataset: 'airports', groupBy: 'a', measure: 'b' });
      expect([status, text.includes('x-user must be 1 to 64')]).toEqual([400, true]);
    }
  });
});

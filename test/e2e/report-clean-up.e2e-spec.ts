import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { ConfigService } from '@nestjs/config';
import { REPORTS_QUEUE } from '../../apps/sample-api/src/reports/generate-report.payload.js';
import { CLEAN_UP, ReportCleanUp } from '../../apps/sample-api/src/reports/report-clean-up.task.js';
import { ReportStore } from '../../apps/sample-api/src/reports/report-store.js';
import { backends } from '../support/backends.js';
import { startJobsApp, type JobsApp } from '../support/jobs-app.js';

const KEEP_DAYS = 10;
const DAY = 24 * 3_600_000;

describe.each(backends)('the nightly clean-up of reports on $name', (backend) => {
  let root: string;
  let running: JobsApp;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'clean-up-'));
    const config = new ConfigService({ REPORTS_DIR: root, REPORTS_KEEP_DAYS: KEEP_DAYS });
    running = await startJobsApp({
      backend,
      providers: [ReportCleanUp, ReportStore, { provide: ConfigService, useValue: config }],
      options: { queues: { [REPORTS_QUEUE]: {} } },
    });
  });
  afterAll(async () => {
    await running?.close();
    await rm(root, { recursive: true, force: true });
  });

  async function written(path: string, days: number): Promise<void> {
    const time = new Date(Date.now() - days * DAY);
    await writeFile(path, 'x');
    await utimes(path, time, time);
  }

  async function reportOf(days: number): Promise<string> {
    const id = `reports_${randomUUID()}`;
    await mkdir(join(root, id));
    for (const file of ['report.pdf', 'summary.csv', 'result.json']) await written(join(root, id, file), days);
    const time = new Date(Date.now() - days * DAY);
    await utimes(join(root, id), time, time);
    return id;
  }

  async function uploadOf(days: number, name = `${randomUUID()}.csv`): Promise<string> {
    await mkdir(join(root, 'uploads'), { recursive: true });
    await written(join(root, 'uploads', name), days);
    return name;
  }

  it('[S1] [S3] removes what is old, and nothing else, when its schedule is triggered', async () => {
    const { schedules } = running.jobs;
    expect(await schedules.get(CLEAN_UP)).toMatchObject({ inCode: true, overlap: 'skip', timeZone: 'UTC' });
    const nothing = await schedules.trigger(CLEAN_UP);
    expect(await nothing.result()).toEqual({ reports: 0, uploads: 0 });

    const kept = [await reportOf(0), await reportOf(KEEP_DAYS - 1)];
    for (let n = 0; n < 3; n++) await reportOf(KEEP_DAYS + 1 + n);
    const upload = await uploadOf(KEEP_DAYS - 1);
    await uploadOf(KEEP_DAYS + 1);
    await uploadOf(KEEP_DAYS + 1, `${randomUUID()}.csv.part`);
    await uploadOf(KEEP_DAYS + 1, 'notes.txt');
    // Somebody else's, beside ours.
    await written(join(root, 'README'), 365);

    const handle = await schedules.trigger(CLEAN_UP);
    expect(await handle.result()).toEqual({ reports: 3, uploads: 2 });
    expect((await readdir(root)).toSorted()).toEqual([...kept, 'README', 'uploads'].toSorted());
    expect((await readdir(join(root, 'uploads'))).toSorted()).toEqual([upload, 'notes.txt'].toSorted());
    expect(await readdir(join(root, kept[0]!))).toHaveLength(3);

    const again = await schedules.trigger(CLEAN_UP);
    expect(await again.result()).toEqual({ reports: 0, uploads: 0 });
    const { runs } = (await schedules.get(CLEAN_UP))!;
    expect(runs.slice(0, 3).map(({ id, by }) => [id, by])).toEqual(
      [again, handle, nothing].map(({ id }) => [id, 'trigger']),
    );
  });
});

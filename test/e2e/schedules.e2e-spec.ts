import type { JobStatus } from 'nestjs-jobs';
import { backends } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { pollUntilEnded, startSampleApi, type SampleApi } from '../support/sample-api.js';
import { sized } from '../support/test-form.js';
import type { ScheduleAnswer, ScheduleWithRuns } from '../../apps/sample-api/src/schedules/schedule-answer.js';

interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

const REPORT = { dataset: 'seattle-weather', groupBy: 'weather', measure: 'wind' };
const EACH_SECOND = '* * * * * *';
const MOST = 3;
const PATIENCE = { timeout: 60_000 };

/** How a schedule is stored is known from elsewhere: one that has a single process, and one that may have several. */
const some = backends.slice(0, sized(backends.length, 2));

describe.each(some)('schedules of the sample API on $name', (backend) => {
  let api: SampleApi;
  beforeAll(async () => {
    api = await startSampleApi(backend, { SCHEDULE_MIN_INTERVAL_MS: '1000', SCHEDULES_PER_USER: String(MOST) });
  });
  afterAll(() => api?.stop());

  async function call<Body>(method: string, path: string, user?: string, body?: unknown): Promise<Answer<Body>> {
    const response = await fetch(`${api.url}/schedules${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(user !== undefined && { 'x-user': user }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    expect(text).not.toMatch(/\.[jt]s:\d+|nestjs-jobs:/);
    return { status: response.status, headers: response.headers, body: (text && JSON.parse(text)) as Body };
  }

  async function create(user: string, cron: string, settings: object = {}): Promise<ScheduleAnswer> {
    const { status, body } = await call<ScheduleAnswer>('POST', '', user, { ...REPORT, cron, ...settings });
    expect(status).toBe(201);
    return body;
  }

  async function find(user: string, name: string): Promise<ScheduleWithRuns> {
    const { status, body } = await call<ScheduleWithRuns>('GET', `/${name}`, user);
    expect(status).toBe(200);
    return body;
  }

  it('[S1] [S3] a user makes one, and reads when it fires', async () => {
    const request = { ...REPORT, cron: '0 6 * * MON-FRI', timeZone: 'Europe/Berlin' };
    const { status, headers, body } = await call<ScheduleAnswer>('POST', '', 'ada', request);
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`/schedules/${body.name}`);
    expect(body).toEqual({
      ...request,
      name: expect.stringMatching(/^report-[0-9a-f-]{36}$/),
      description: 'At 06:00, Monday through Friday (Europe/Berlin)',
      state: 'active',
      next: expect.any(Array),
      createdAt: expect.any(String),
      sent: 0,
      missed: 0,
      skipped: 0,
    });
    expect(body.next).toHaveLength(5);
    const day = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', weekday: 'short' });
    const hour = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', timeStyle: 'short' });
    for (const time of body.next) {
      expect(hour.format(new Date(time))).toBe('06:00');
      expect(['Mon', 'Tue', 'Wed', 'Thu', 'Fri']).toContain(day.format(new Date(time)));
    }
    expect(body.next).toEqual([...new Set(body.next)].toSorted());
    expect(await find('ada', body.name)).toEqual({ ...body, runs: [] });
    const other = await create('bob', '0 7 * * *');
    expect(other).toMatchObject({ timeZone: 'UTC', description: 'At 07:00, every day (UTC)' });
    expect((await call('GET', '', 'ada')).body).toEqual({ schedules: [body] });
    expect((await call('GET', '', 'nobody')).body).toEqual({ schedules: [] });
  });

  it('[S1] [S3] [S7] its times end in reports, which are counted; paused it makes none, but one that is wanted', async () => {
    const { name } = await create('carol', EACH_SECOND);
    await eventually(async () => (await find('carol', name)).runs.some(({ state }) => state === 'succeeded'), PATIENCE);
    const paused = await call<ScheduleAnswer>('POST', `/${name}/pause`, 'carol');
    expect(paused.status).toBe(200);
    expect(paused.body).toMatchObject({ state: 'paused', next: [], pausedAt: expect.any(String) });
    // What was on its way as it was paused is among the runs, too.
    await eventually(
      async () => (await find('carol', name)).runs.every(({ state }) => state === 'succeeded'),
      PATIENCE,
    );
    const before = await find('carol', name);
    expect(before.sent).toBeGreaterThan(0);
    expect(before.lag).toBeGreaterThanOrEqual(0);
    const [first] = before.runs;
    expect(first).toMatchObject({ by: 'schedule', pollUrl: `/jobs/${first!.id}` });
    expect(Date.parse(first!.scheduledFor) % 1_000).toBe(0);
    const pdf = await fetch(api.url + first!.files!.pdf);
    expect([pdf.status, pdf.headers.get('content-type')]).toEqual([200, 'application/pdf']);

    const triggered = await call<{ id: string; pollUrl: string }>('POST', `/${name}/trigger`, 'carol');
    expect(triggered.status).toBe(202);
    expect(triggered.headers.get('location')).toBe(triggered.body.pollUrl);
    const last = (await pollUntilEnded(api.url, triggered.body.pollUrl)).at(-1) as JobStatus;
    expect(last).toMatchObject({ id: triggered.body.id, state: 'succeeded', result: { dataset: REPORT.dataset } });
    const after = await find('carol', name);
    expect(after).toMatchObject({ sent: before.sent, state: 'paused' });
    expect(after.runs[0]).toMatchObject({ id: triggered.body.id, by: 'trigger', state: 'succeeded' });

    const resumed = await call<ScheduleAnswer>('POST', `/${name}/resume`, 'carol');
    expect([resumed.status, resumed.body.state, resumed.body.missed]).toEqual([200, 'active', 0]);
    await eventually(async () => (await find('carol', name)).sent > before.sent, PATIENCE);
    expect((await call('DELETE', `/${name}`, 'carol')).status).toBe(204);
    expect((await call('DELETE', `/${name}`, 'carol')).status).toBe(404);
  });

  it('[S3] what is of others is not there', async () => {
    const { name } = await create('dora', '0 6 * * *');
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/trigger'],
      ['DELETE', ''],
    ] as const) {
      for (const other of [name, 'reports.clean-up', 'report-1', 'a%00b', '..%2f..%2fetc', '%23code']) {
        const { status } = await call(method, `/${other}${path}`, 'eve');
        expect([method, path, other, status]).toEqual([method, path, other, 404]);
      }
      expect((await call(method, `/${name}${path}`)).status).toBe(400);
    }
    expect(await find('dora', name)).toMatchObject({ state: 'active', runs: [] });
  });

  it.each([
    [{ cron: '61 * * * *' }, /no cron expression in .*61/],
    [{ cron: 'every day' }, /five fields, or six with the seconds first/],
    [{ cron: '0 6 * * *', timeZone: 'Mars/Olympus' }, /IANA zone.*Europe\/Berlin/],
    [{ cron: '0 0 31 2 *' }, /never fires/],
    [{ cron: '0 6 * * *', dataset: '../secrets' }, /dataset must be one of: .*seattle-weather/],
    [{}, /cron must be given/],
  ])('[S1] %j is refused, and the answer says why', async (settings, message) => {
    const { status, body } = await call('POST', '', 'frank', { ...REPORT, ...settings });
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toMatch(message);
    expect((await call('GET', '', 'frank')).body).toEqual({ schedules: [] });
  });

  it('[S3] a user has only so many', async () => {
    for (let n = 0; n < MOST; n++) await create('grace', `${n} 6 * * *`);
    const { status, body } = await call<{ message: string }>('POST', '', 'grace', { ...REPORT, cron: '0 7 * * *' });
    expect([status, body.message]).toEqual([409, 'You have 3 schedules, and may have 3. Delete one first.']);
    const asked = await call<{ message: string[] }>('POST', '', 'not a name', { ...REPORT, cron: '0 7 * * *' });
    expect([asked.status, asked.body.message]).toEqual([400, [expect.stringContaining('x-user must be')]]);
  });

  it('[S1] describes its endpoints, and cleans up at night', async () => {
    const document = (await (await fetch(`${api.url}/docs-json`)).json()) as { paths: Record<string, object> };
    expect(
      Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((of) => `${of} ${path}`)),
    ).toEqual(
      expect.arrayContaining([
        'post /schedules',
        'get /schedules',
        'get /schedules/{name}',
        'delete /schedules/{name}',
        'post /schedules/{name}/pause',
        'post /schedules/{name}/resume',
        'post /schedules/{name}/trigger',
      ]),
    );
    expect(api.process.stdout.join('\n')).toContain('Schedules of the code: added reports.clean-up.');
  });
});

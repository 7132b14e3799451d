import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backends } from '../support/backends.js';
import { spawnSampleApi } from '../support/child-process.js';
import { startSampleApi, type SampleApi } from '../support/sample-api.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { runsOn } from '../support/test-form.js';

// The demo sees nothing but HTTP. The live events of each backend have tests of their own.
const shown = backends.filter((backend) => runsOn(backend, backends, 1));

describe.each(shown)('npm run demo -- --live, with the sample API on $name', (backend) => {
  let api: SampleApi;
  let cwd: string;
  beforeAll(async () => {
    api = await startSampleApi(backend);
  });
  afterAll(() => api?.stop());
  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'demo-live-'));
  });
  afterEach(() => rm(cwd, { recursive: true, force: true }));

  it('[A1] [A4] shows the report as it is made, and what is logged', async () => {
    const demo = spawnSampleApi('demo/demo', { args: ['--live'], env: { DEMO_URL: api.url }, cwd });
    expect(await demo.exited).toEqual({ code: 0, signal: null });
    const text = demo.stdout.join('\n');
    expect(text).toContain(`Using the server at ${api.url}`);
    expect(text).toContain('logged: 1461 rows in 5 groups, 0 without a value left out');
    expect(text).toContain('100%  RENDERING, succeeded');
    expect(text).not.toContain('reconnecting');
    expect((await readdir(join(cwd, 'demo-output'))).sort()).toEqual([
      'seattle-weather-report.pdf',
      'seattle-weather-summary.csv',
    ]);
  });

  it('[A4] comes again with the id of the last event when the connection is lost, and misses nothing', async () => {
    const proxy = await TcpProxy.to(Number(new URL(api.url).port));
    const resumed: string[] = [];
    let cuts = 0;
    proxy.cutWhen = (request) => {
      if (request.includes('/events ')) resumed.push(/last-event-id: (.*)\r/i.exec(request)?.[1] ?? 'none');
      return false;
    };
    proxy.cutWhenAnswered = (answer) => answer.includes('event: log') && cuts++ === 0;
    const file = join(cwd, 'large.csv');
    // So large that the stream is there before the line of the log is.
    await writeFile(file, `a,b\n${'x,1\n'.repeat(500_000)}`);
    const demo = spawnSampleApi('demo/demo', {
      args: ['--live', file, '--group-by', 'a', '--measure', 'b'],
      env: { DEMO_URL: `http://127.0.0.1:${proxy.port}` },
      cwd,
    });
    const exit = await demo.exited;
    await proxy.close();
    expect([exit.code, demo.stderr]).toEqual([0, []]);
    expect(resumed).toEqual(['none', '0']);
    expect(demo.stdout.filter((line) => line.includes('reconnecting'))).toHaveLength(1);
    expect(demo.stdout.filter((line) => line.includes('logged: 500000 rows in 1 groups'))).toHaveLength(1);
    expect(demo.stdout.join('\n')).toContain('100%  RENDERING, succeeded');
  });

  it('[A2] says why a report failed', async () => {
    const file = join(cwd, 'bad.csv');
    await writeFile(file, 'a,b\nx,many\n');
    const args = ['--live', file, '--group-by', 'a', '--measure', 'b'];
    const demo = spawnSampleApi('demo/demo', { args, env: { DEMO_URL: api.url }, cwd });
    expect(await demo.exited).toEqual({ code: 1, signal: null });
    expect(demo.stderr.join('\n')).toMatch(/failed \(VALUE_NOT_NUMERIC\): .*line 2/);
  });
});

it('npm run demo -- --help tells of --live', async () => {
  const demo = spawnSampleApi('demo/demo', { args: ['--help'] });
  expect(await demo.exited).toEqual({ code: 0, signal: null });
  expect(demo.stdout.join('\n')).toContain('npm run demo -- --live');
});

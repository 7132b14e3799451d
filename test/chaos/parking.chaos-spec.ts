import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doorOptions, DoorTasks, GAPS, SETTINGS_VARIABLE, type DoorSettings } from '../fixtures/door-tasks.js';
import { backends, embeddedIn, uniqueNamespace } from '../support/backends.js';
import { spawnFixture } from '../support/child-process.js';
import { startJobsApp } from '../support/jobs-app.js';
import { runsOn } from '../support/test-form.js';

const IDS = ['default_first', 'default_second'];
const DIED = { code: null, signal: 'SIGKILL' };

describe.each(backends)('a process that is killed -9 around a parked job on $name', (backend) => {
  let directory: string;

  beforeEach(async () => {
    DoorTasks.reset();
    directory = await mkdtemp(join(tmpdir(), 'jobs-door-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it.each(GAPS.filter((_gap, n) => runsOn(backend, backends, n)))(
    '[I3] %s: nobody is forgotten, and nobody goes in beside another',
    async (gap) => {
      const ledger = join(directory, 'entered');
      await writeFile(ledger, '');
      const connection = backend.name === 'embedded' ? embeddedIn(join(directory, 'data')) : backend.connection()!;
      const settings: DoorSettings = { connection, namespace: uniqueNamespace(), ledger, gap };
      const victim = spawnFixture('door-worker', { env: { [SETTINGS_VARIABLE]: JSON.stringify(settings) } });
      expect({ ...(await victim.exited), stderr: victim.stderr }).toEqual({ ...DIED, stderr: [] });
      expect((await readFile(ledger, 'utf8')).split('\n')[0]).toBe(IDS[0]);

      DoorTasks.ledger = ledger;
      const { jobs, close } = await startJobsApp({ backend, providers: [DoorTasks], options: doorOptions(settings) });
      for (const id of IDS) {
        await jobs.job(id).result({ timeout: '1m' });
        expect(await jobs.job(id).status()).toMatchObject({ state: 'succeeded' });
      }
      expect(DoorTasks.mostInside).toBe(1);
      const entered = (await readFile(ledger, 'utf8')).split('\n').filter(Boolean);
      expect([...new Set(entered)].sort()).toEqual(IDS);
      expect(entered.filter((id) => id === IDS[1])).toHaveLength(1);
      await close();
    },
  );
});

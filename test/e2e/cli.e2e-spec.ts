import { jest } from '@jest/globals';
import { readTable } from '../support/cli.js';
import { cliBesideApp, servers } from '../support/cli-beside-app.js';
import { eventually } from '../support/eventually.js';

// Each run of the command line loads Nest and BullMQ, on machines that do other things too.
jest.setTimeout(180_000);

describe.each(servers)('the command line on $name', (backend) => {
  const { app, ids, cli, call, shown, json, table, fleet } = cliBesideApp(backend);

  describe('looks', () => {
    it('[M4] at the fleet', async () => {
      const { processes, stats } = await fleet();
      expect(processes).toEqual([expect.objectContaining({ pid: app().pid, draining: false })]);
      expect(processes[0]!.queues.map(({ queue }) => queue).toSorted()).toEqual(['bulk', 'default', 'idle']);
      expect(stats.queues.map(({ queue }) => queue)).toEqual(['default', 'bulk', 'idle']);
      expect(stats.slots).toEqual({ bulk: 1, default: 10, idle: 10 });

      const { stdout } = await cli('fleet');
      const [workers, queues, sum] = stdout.split('\n\n');
      expect(readTable(workers!)).toEqual([
        expect.objectContaining({ PROCESS: processes[0]!.id.slice(0, 8), PID: String(app().pid), STATE: 'working' }),
      ]);
      expect(readTable(queues!).map(({ QUEUE }) => QUEUE)).toEqual(['default', 'bulk', 'idle']);
      expect(readTable(queues!)[1]).toMatchObject({ WAITING: '1', RUNNING: '1', SLOTS: '1', STATE: 'open' });
      expect(sum).toBe('1 process, 1 of them with workers.');
    });

    it('[M4] which processes answer', async () => {
      const { answered, silent } = await json<{ answered: { pid: number }[]; silent: unknown[] }>('fleet', 'ping');
      expect([answered.map(({ pid }) => pid), silent]).toEqual([[app().pid], []]);
      expect(await table('fleet', 'ping')).toEqual([expect.objectContaining({ PID: String(app().pid) })]);
    });

    it('[M4] at the jobs that run, at those whose time has not come, and at the tasks', async () => {
      const active = await json<{ jobs: unknown[] }>('fleet', 'active');
      expect(active.jobs).toEqual([
        expect.objectContaining({ id: ids().running, task: 'report.build', queue: 'bulk' }),
      ]);
      expect(await table('fleet', 'active', '--queue', 'bulk')).toMatchObject([{ ID: ids().running, ATTEMPT: '1' }]);

      const scheduled = await json<{ jobs: unknown[] }>('fleet', 'scheduled');
      expect(scheduled.jobs).toEqual([expect.objectContaining({ id: ids().scheduled, state: 'scheduled' })]);
      expect(await table('fleet', 'scheduled')).toMatchObject([{ ID: ids().scheduled, TASK: 'mail.send' }]);

      const { tasks } = await json<{ tasks: { task: string; processes: string[] }[] }>('fleet', 'tasks');
      expect(tasks.map(({ task }) => task)).toEqual(['mail.fail', 'mail.send', 'report.build']);
      expect(await table('fleet', 'tasks')).toHaveLength(3);
    });

    it('[M4] why a job does not run', async () => {
      const explanation = await json<{ id: string; reason: object; message: string }>('why', ids().waiting);
      expect(explanation).toMatchObject({
        id: ids().waiting,
        queue: 'bulk',
        reason: { kind: 'concurrency', slots: 1 },
      });
      const { code, stdout } = await shown('why', ids().waiting);
      expect(code).toBe(0);
      expect(stdout).toContain(explanation.message);
      expect(stdout).toMatch(/^reason\s+concurrency$/m);
    });

    it('[M4] where a job stands', async () => {
      expect(await json('status', ids().succeeded)).toMatchObject({
        id: ids().succeeded,
        state: 'succeeded',
        attempt: 1,
      });
      const { code, stdout } = await shown('status', ids().failed);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^state\s+failed$/m);
      expect(stdout).toMatch(/^tags\s+acme$/m);
      // What came with a job does not command the terminal.
      expect(stdout).toContain('MailError: bounced \\x1b[2J');
      expect(stdout).not.toContain('\u001b');
    });

    it('[M4] at dead letters, page by page, and only at those that fit', async () => {
      const all = await json<{ letters: { id: string; payload: unknown }[] }>('dead-letters');
      expect(all).toEqual({ letters: [expect.objectContaining({ id: ids().failed, payload: { to: 'nobody' } })] });
      expect(
        await table('dead-letters', '--task', 'mail.*', '--queue', 'default', '--error', 'MailError'),
      ).toMatchObject([{ ID: ids().failed, TASK: 'mail.fail', ATTEMPTS: '1' }]);
      for (const other of [
        ['--since', '2100-01-01T00:00:00Z'],
        ['--until', '1h'],
        ['--tag', 'other'],
        ['--redriven'],
      ]) {
        expect(await json('dead-letters', ...other)).toEqual({ letters: [] });
      }
      expect(await json('dead-letters', '--since', '1h', '--open', '--limit', '1')).toMatchObject({ letters: [{}] });
      expect((await shown('dead-letters', '--queue', 'bulk')).stdout).toBe('No dead letters.');
    });

    it('[M4] at schedules, whose code it has not', async () => {
      const { schedules } = await json<{ schedules: { name: string; state: string }[] }>('schedules');
      expect(schedules).toMatchObject([
        { name: 'nightly', state: 'active', inCode: false },
        { name: 'yearly', state: 'active', inCode: true },
      ]);
      expect(await table('schedules')).toMatchObject([
        { NAME: 'nightly', WHEN: '0 2 * * * UTC', STATE: 'active', BY: 'call' },
        { NAME: 'yearly', WHEN: '0 3 1 1 * UTC', STATE: 'active', BY: 'code' },
      ]);
    });

    it('[M4] at limits that only the code of the app has', async () => {
      const { limits } = await json<{ limits: unknown[] }>('limits');
      expect(limits).toMatchObject([
        { name: 'crm', limit: '100/m', isOverridden: false },
        { name: 'queue:idle', limit: '5/s', isOverridden: false },
      ]);
      expect(await table('limits')).toMatchObject([{ NAME: 'crm', LIMIT: '100/m', BY: 'code' }, {}]);
    });
  });

  it('[M5] what stops, removes or repeats work is refused where nobody can confirm it', async () => {
    const { id } = (await fleet()).processes[0]!;
    for (const args of [
      ['redrive', '--all'],
      ['purge', 'default'],
      ['schedules', 'pause', 'yearly'],
      ['limits', 'pause', 'crm', '1h'],
      ['limits', 'set', 'misspelled', '1/s'],
      ['fleet', 'pause-queue', 'default'],
      ['fleet', 'pause', id],
      ['fleet', 'drain', id],
      ['fleet', 'shut-down', id],
    ]) {
      const { code, stdout, stderr } = await call(...args);
      expect({ args, code, stdout }).toEqual({ args, code: 5, stdout: '' });
      expect(stderr).toMatch(/^nestjs-jobs: .*Nothing was done.*--yes/);
    }
    expect((await cli('purge', 'default')).code).toBe(5);
    const { processes, stats } = await fleet();
    expect(processes[0]).toMatchObject({ id, draining: false });
    expect(stats.queues.filter(({ paused }) => paused)).toEqual([]);
  });

  it('[M5] what is not possible is refused', async () => {
    for (const args of [
      ['cancel', ids().succeeded, '--yes'],
      ['schedules', 'delete', 'yearly', '--yes'],
    ]) {
      expect(await call(...args)).toMatchObject({ code: 5, stdout: '' });
    }
  });

  it('[M4] what is not there has an exit code of its own', async () => {
    const missing = 'default_01a1fc52-8e7f-7504-9a6c-c6d55837f340';
    for (const args of [
      ['status', missing],
      ['status', 'nothing'],
      ['status', 'unknown-queue_1'],
      ['why', missing],
      ['cancel', missing, '--yes'],
      ['redrive', missing],
      ['redrive', ids().succeeded],
      ['purge', 'unknown', '--yes'],
      ['fleet', 'pause-queue', 'unknown', '--yes'],
      ['fleet', 'drain', 'ffffffff-', '--yes'],
      ['dead-letters', '--queue', 'unknown'],
      ['schedules', 'trigger', 'unknown'],
      ['limits', 'reset', 'unknown'],
    ]) {
      const { code, stderr } = await call(...args, '--json');
      expect({ args, code }).toEqual({ args, code: 3 });
      expect(JSON.parse(stderr)).toEqual({
        error: { name: expect.any(String), message: expect.any(String), exitCode: 3 },
      });
    }
  });

  it('[M5] a dead letter that is not there is told once', async () => {
    const { code, stdout, stderr } = await call('redrive', 'default_missing');
    expect({ code, stdout, lines: stderr.split('\n').length }).toEqual({ code: 3, stdout: '', lines: 1 });
    const many = await call('redrive', 'default_missing', 'default_another');
    expect(many).toMatchObject({ code: 3, stderr: 'nestjs-jobs: 2 of 2 dead letters were refused.' });
    expect(readTable(many.stdout).map((row) => row['DEAD LETTER'])).toEqual(['default_missing', 'default_another']);
  });

  it('[M4] a queue that no process has declared can be named', async () => {
    expect(await json('purge', 'later', '--queues', 'later,other', '--yes')).toEqual({ queue: 'later', removed: 0 });
  });

  it('[M4] [M5] drains and ends a process, leaves no trace of itself, and the schedules of the code alone', async () => {
    expect((await fleet()).processes).toHaveLength(1);
    const { id } = (await fleet()).processes[0]!;
    expect(await json('fleet', 'drain', id.slice(0, 8), '--yes')).toMatchObject({ id, draining: true });
    expect(await json('fleet', 'shut-down', id, '--yes')).toMatchObject({ id });
    await app().exited;
    // Nobody announces them any more, and whoever keeps the schedules of a fleet would withdraw them.
    await eventually(async () => expect((await fleet()).processes).toEqual([]), { timeout: 20_000 });
    const { schedules } = await json<{ schedules: unknown[] }>('schedules');
    expect(schedules).toContainEqual(expect.objectContaining({ name: 'yearly', state: 'active' }));
    expect((await cli('fleet', 'ping')).code).toBe(1);
    // What it has declared is known all the same.
    expect((await fleet()).stats.queues.map(({ queue }) => queue)).toEqual(['default', 'bulk', 'idle']);
  });
});

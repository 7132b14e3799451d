import { parseEnvironment } from './environment.js';

describe('parseEnvironment', () => {
  it('has a default for everything', () => {
    expect(parseEnvironment({})).toEqual({
      PORT: 3000,
      JOBS_NAMESPACE: 'jobs',
      JOBS_LEASE_MS: 30_000,
      JOBS_WORKERS: true,
      REPORTS_DIR: '.jobs/reports',
      REPORTS_KEEP_DAYS: 30,
      REPORT_CONCURRENCY: 4,
      REPORT_THREADS: 1,
      SCHEDULE_MIN_INTERVAL_MS: 60_000,
      SCHEDULES_PER_USER: 20,
      PAYMENTS_DIR: '.jobs/payments',
      PAYMENT_ANSWER_MS: 0,
      IMPORTS_DIR: '.jobs/imports',
      HEALTH_DETAILS: 'open',
      WEBHOOK_ALLOWED_NETWORKS: [],
      WEBHOOK_PORTS: [80, 443],
      WEBHOOK_CONNECT_TIMEOUT_MS: 5_000,
      WEBHOOK_TIMEOUT_MS: 15_000,
      WEBHOOK_ATTEMPTS: 8,
      WEBHOOK_RETRY_DELAY_MS: 5_000,
      WEBHOOK_CONCURRENCY: 20,
      METRICS_PUBLIC: true,
    });
  });

  it.each([
    [{ NODE_ENV: 'production', WEBHOOK_SECRET: 's'.repeat(32) }, 'closed', false],
    [{ METRICS_TOKEN: 'a token of the tests' }, 'open', false],
    [{ HEALTH_DETAILS: 'closed', METRICS_PUBLIC: 'false' }, 'closed', false],
    [
      { NODE_ENV: 'production', WEBHOOK_SECRET: 's'.repeat(32), HEALTH_DETAILS: 'open', METRICS_PUBLIC: 'true' },
      'open',
      true,
    ],
  ])('with %j shows health %s, and metrics to everybody: %s', (variables, health, metrics) => {
    expect(parseEnvironment(variables)).toMatchObject({ HEALTH_DETAILS: health, METRICS_PUBLIC: metrics });
  });

  it('takes what is set and leaves other variables out', () => {
    const variables = { PORT: '0', JOBS_URL: 'rediss://user:secret@host:6380/1', JOBS_WORKERS: 'false', PATH: '/bin' };
    expect(parseEnvironment(variables)).toMatchObject({
      PORT: 0,
      JOBS_URL: 'rediss://user:secret@host:6380/1',
      JOBS_WORKERS: false,
    });
    expect(parseEnvironment(variables)).not.toHaveProperty('PATH');
  });

  it('says all that is wrong, one line for each variable', () => {
    const variables = {
      PORT: '80000',
      JOBS_WORKERS: 'yes',
      REPORT_THREADS: '0',
      REPORT_CONCURRENCY: '',
      REPORTS_DIR: '',
    };
    expect(() => parseEnvironment(variables)).toThrow(
      [
        'The environment has values that cannot be used:',
        '  PORT must be between 0 and 65535 (0 picks a free port) (it is "80000")',
        '  JOBS_WORKERS must be true or false (it is "yes")',
        '  REPORTS_DIR is set but empty; unset it to use the default, or name a directory (it is "")',
        '  REPORT_CONCURRENCY must be a whole number from 1 to 100 (it is "")',
        '  REPORT_THREADS must be a whole number from 1 to 64 (it is "0")',
      ].join('\n'),
    );
  });

  it.each([
    'redis://localhost:6379',
    'rediss://user:secret@host:6380/1',
    'postgres://user:secret@host:5432/app',
    'postgresql://host/app?sslmode=verify-full',
  ])('takes %j as JOBS_URL', (JOBS_URL) => {
    expect(parseEnvironment({ JOBS_URL })).toMatchObject({ JOBS_URL });
  });

  it.each(['', 'localhost:6379', 'http://localhost', 'redis://', 'postgres://', 'mysql://localhost/app'])(
    'refuses %j as JOBS_URL',
    (JOBS_URL) => {
      expect(() => parseEnvironment({ JOBS_URL })).toThrow(
        /JOBS_URL (is set but empty|must be a URL that starts with redis.*postgres)/,
      );
    },
  );

  it('reads networks and ports as lists', () => {
    const variables = { WEBHOOK_ALLOWED_NETWORKS: '10.0.0.0/8, ::1,127.0.0.1', WEBHOOK_PORTS: '80, 8080' };
    expect(parseEnvironment(variables)).toMatchObject({
      WEBHOOK_ALLOWED_NETWORKS: ['10.0.0.0/8', '::1', '127.0.0.1'],
      WEBHOOK_PORTS: [80, 8080],
    });
    expect(parseEnvironment({ WEBHOOK_PORTS: 'any' })).toMatchObject({ WEBHOOK_PORTS: 'any' });
  });

  it.each([
    ['JOBS_NAMESPACE', 'My-App'],
    ['WEBHOOK_ALLOWED_NETWORKS', 'localhost'],
    ['WEBHOOK_ALLOWED_NETWORKS', '10.0.0.0/33'],
    ['WEBHOOK_ALLOWED_NETWORKS', '10.0.0.0/8,'],
    ['WEBHOOK_PORTS', ''],
    ['WEBHOOK_PORTS', '80;443'],
    ['WEBHOOK_PORTS', '0'],
    ['WEBHOOK_ATTEMPTS', ''],
    ['WEBHOOK_RETRY_DELAY_MS', '0'],
    ['WEBHOOK_TIMEOUT_MS', ''],
    ['JOBS_LEASE_MS', '999'],
    ['PAYMENT_ANSWER_MS', ''],
    ['REPORTS_KEEP_DAYS', ''],
    ['REPORTS_KEEP_DAYS', '0'],
    ['SCHEDULE_MIN_INTERVAL_MS', '999'],
    ['SCHEDULES_PER_USER', ''],
    ['HEALTH_DETAILS', ''],
    ['HEALTH_DETAILS', 'true'],
    ['METRICS_PUBLIC', 'yes'],
    ['WORKER_METRICS_PORT', ''],
  ])('refuses %s=%j', (name, value) => {
    expect(() => parseEnvironment({ [name]: value })).toThrow(
      new RegExp(`  ${name} must be .* \\(it is "${value}"\\)`),
    );
  });

  it.each(['WEBHOOK_SECRET', 'ADMIN_TOKEN', 'METRICS_TOKEN'])('refuses a short %s without repeating it', (name) => {
    const refusal = () => parseEnvironment({ [name]: 'tell-nobody' });
    expect(refusal).toThrow(new RegExp(`  ${name} must have at least \\d+ characters$`));
    expect(refusal).toThrow(expect.not.stringContaining('tell-nobody'));
  });

  it('asks for a secret in production', () => {
    expect(() => parseEnvironment({ NODE_ENV: 'production' })).toThrow(/WEBHOOK_SECRET must be set/);
    expect(() => parseEnvironment({ NODE_ENV: 'production', WEBHOOK_SECRET: 's'.repeat(32) })).not.toThrow();
  });

  it('does not repeat a url, which may hold a password', () => {
    expect(() => parseEnvironment({ JOBS_URL: 'http://user:secret@host' })).toThrow(
      expect.not.stringContaining('secret'),
    );
  });
});

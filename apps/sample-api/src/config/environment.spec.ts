import { parseEnvironment } from './environment.js';

describe('parseEnvironment', () => {
  it('has a default for everything', () => {
    expect(parseEnvironment({})).toEqual({
      PORT: 3000,
      JOBS_WORKERS: true,
      REPORTS_DIR: '.jobs/reports',
      REPORT_CONCURRENCY: 4,
      REPORT_THREADS: 1,
    });
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

  it('does not repeat a url, which may hold a password', () => {
    expect(() => parseEnvironment({ JOBS_URL: 'http://user:secret@host' })).toThrow(
      expect.not.stringContaining('secret'),
    );
  });
});

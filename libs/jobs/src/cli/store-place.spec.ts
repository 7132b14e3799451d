import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT_CODES } from './exit-codes.js';
import { readPlace } from './store-place.js';

describe('where the command line finds the jobs', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'store-place-'));
    mkdirSync(join(directory, 'pgdata'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each([
    ['redis://host', { redis: 'redis://host' }],
    ['rediss://host', { redis: 'rediss://host' }],
    ['postgres://host/db', { postgres: 'postgres://host/db', migrate: false }],
    ['postgresql://host/db', { postgres: 'postgresql://host/db', migrate: false }],
  ])('[M4] at %s, from the variable or the command line', (url, connection) => {
    expect(readPlace({}, { JOBS_URL: url })).toEqual({ connection, namespace: 'jobs' });
    expect(readPlace({ url }, {})).toEqual({ connection, namespace: 'jobs' });
  });

  it('[M4] in a directory, from the variable or the command line', () => {
    const place = { connection: { embedded: { dataDir: directory } }, namespace: 'jobs' };
    expect(readPlace({}, { JOBS_DATA_DIR: directory })).toEqual(place);
    expect(readPlace({ dataDir: directory }, {})).toEqual(place);
  });

  it('[M4] what the command line says goes before the variables, and a url before a directory there', () => {
    const env = { JOBS_URL: 'redis://env', JOBS_DATA_DIR: directory, JOBS_NAMESPACE: 'env' };
    expect(readPlace({}, env)).toEqual({ connection: { redis: 'redis://env' }, namespace: 'env' });
    const flags = { dataDir: directory, namespace: 'own' };
    expect(readPlace(flags, env)).toEqual({ connection: { embedded: { dataDir: directory } }, namespace: 'own' });
  });

  it.each([
    ['nothing is said', {}, {}, /JOBS_URL/],
    ['both are said', { url: 'redis://host', dataDir: '.' }, {}, /not both/],
    ['it is another kind of url', { url: 'mysql://user:secret@host' }, {}, /^The url must begin with [^m]*$/],
    ['the variables are empty', {}, { JOBS_URL: '', JOBS_DATA_DIR: '' }, /JOBS_URL/],
  ])('[M4] is a mistake when %s', (_when, flags, env, message) => {
    const read = () => readPlace(flags, env);
    expect(read).toThrow(
      expect.objectContaining({ exitCode: EXIT_CODES.usage, message: expect.stringMatching(message) }),
    );
  });

  it.each(['', 'half-made'])('[M4] makes no store where there is none (%j)', (name) => {
    const other = join(directory, name || 'missing');
    if (name) {
      mkdirSync(join(other, 'pgdata'), { recursive: true });
      writeFileSync(join(other, 'initializing'), '');
    }
    const read = () => readPlace({ dataDir: other }, {});
    expect(read).toThrow(expect.objectContaining({ exitCode: EXIT_CODES.unavailable }));
  });
});

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { backends, postgresUrl, redisUrl, uniqueNamespace } from '../support/backends.js';
import type { BackendName } from '../support/backend-selection.mjs';
import { isFull, itIf } from '../support/test-form.js';
import { FreshApp } from './fresh-app.js';
import { packLibrary, type PackedLibrary } from './pack-library.js';

/** The library loads its peers in the same way in both, so the short form has only one of them miss some. */
const apps = [
  { name: 'Nest 12, ES modules', type: 'module', nest: 12, typescript: '~6.0.0', missesPeers: isFull },
  { name: 'Nest 11, CommonJS', type: 'commonjs', nest: 11, typescript: '~5.9.0', missesPeers: true },
] as const;

const stores: Record<BackendName, { peer: string; url: () => string | undefined }> = {
  redis: { peer: 'ioredis', url: redisUrl },
  postgres: { peer: 'pg', url: postgresUrl },
  embedded: { peer: '@electric-sql/pglite', url: () => undefined },
};

/** The backends differ in what they do, and not in how they are installed: one will do. */
const store = stores[(backends.find(({ name }) => name === 'redis') ?? backends[0]!).name];

const needs = (user: string, peer: string) => `nestjs-jobs: ${user} needs the package ${peer}: npm install ${peer}`;

let library: PackedLibrary;

beforeAll(async () => {
  library = await packLibrary();
});

afterAll(() => rm(library.directory, { recursive: true, force: true }));

describe.each(apps)('the package, installed in a fresh app: $name', ({ type, nest, typescript, missesPeers }) => {
  let app: FreshApp;
  /** And what it takes to compile them. */
  const peers = [
    store.peer,
    `@nestjs/terminus@^${nest}`,
    '@willsoto/nestjs-prometheus',
    'prom-client',
    '@types/node@20',
  ];

  beforeAll(async () => {
    app = await FreshApp.create(type);
    const required = ['common', 'core', 'platform-express'].map((name) => `@nestjs/${name}@^${nest}`);
    const more = missesPeers ? [] : peers;
    await app.install(library.tarball, ...required, 'reflect-metadata', 'rxjs', `typescript@${typescript}`, ...more);
  });

  afterAll(() => app.remove());

  // The last test installs some of the peers.
  itIf(missesPeers, 'works without the optional peers, and each that is missed names itself', async () => {
    expect(library.optionalPeers.filter((peer) => existsSync(join(app.directory, 'node_modules', peer)))).toEqual([]);

    const outcomes = (await app.run('missing-peers.js', library.specifiers)) as Record<string, string>;

    expect(outcomes).toEqual({
      ...outcomes,
      'nestjs-jobs': 'works',
      embedded: needs('the embedded backend', '@electric-sql/pglite'),
      redis: needs('the Redis backend', 'ioredis'),
      postgres: needs('the Postgres backend', 'pg'),
      migrateJobs: needs('migrateJobs', 'pg'),
      fromDrizzle: needs('fromDrizzle', 'drizzle-orm'),
    });
    for (const specifier of library.specifiers) {
      expect(outcomes[specifier]).toMatch(/^works$|needs the package (\S+): npm install \1$/);
    }
  });

  itIf(missesPeers, 'brings a command line, which needs no peers to help', async () => {
    expect(await app.npx('nestjs-jobs', ['--help'])).toMatch(/^Usage: nestjs-jobs/);
  });

  it('compiles, and runs a job', async () => {
    if (missesPeers) await app.install(...peers);
    // The settings of older CommonJS projects; what runs is compiled with those of `nest new`.
    if (type === 'commonjs') await app.compile('--noEmit', '--module', 'commonjs', '--moduleResolution', 'node10');
    await app.compile();

    const url = store.url();
    const env = { JOBS_NAMESPACE: uniqueNamespace(), ...(url !== undefined && { JOBS_URL: url }) };
    expect(await app.run('dist/main.js', [], env)).toEqual({
      created: 202,
      result: { title: 'INSTALLED', attempt: 1 },
      polled: [200, 'succeeded'],
      health: [200, 'ok'],
      metrics: [200, true],
    });

    const place = url === undefined ? { JOBS_DATA_DIR: '.jobs' } : { JOBS_URL: url };
    const fleet = await app.npx('nestjs-jobs', ['fleet', '--json'], { ...env, ...place });
    expect(JSON.parse(fleet)).toMatchObject({ processes: [], stats: { queues: [{ queue: 'default' }] } });
  });
});

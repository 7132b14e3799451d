import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findPostgres } from './postgres-binaries.mjs';

describe('findPostgres', () => {
  let root: string;
  let debianRoot: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'postgres-binaries-'));
    debianRoot = join(root, 'debian');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function install(folder: string, version: string, programs = ['postgres', 'initdb']): string {
    const path = join(root, folder);
    mkdirSync(path, { recursive: true });
    const script = `#!/bin/sh\necho 'postgres (PostgreSQL) ${version}'\n`;
    for (const program of programs) writeFileSync(join(path, program), script, { mode: 0o755 });
    return path;
  }

  it('takes the first in PATH, whatever Debian has', () => {
    const [first, second] = [install('first', '16.1'), install('second', '17.2')];
    install('debian/18/bin', '18.0');
    const searchPath = ['', join(root, 'missing'), first, second].join(delimiter);
    expect(findPostgres({ searchPath, debianRoot }).found).toEqual({
      postgres: join(first, 'postgres'),
      initdb: join(first, 'initdb'),
      version: '16.1',
    });
  });

  it('takes the newest of Debian, by number', () => {
    install('debian/9.6/bin', '9.6.24');
    install('debian/13/bin', '13.9');
    install('debian/15/bin', '15.18 (Debian 15.18-0+deb12u1)');
    expect(findPostgres({ searchPath: '', debianRoot }).found?.version).toBe('15.18');
  });

  it('passes over what is too old or not complete', () => {
    const [old, half] = [install('old', '12.22'), install('half', '17.0', ['postgres'])];
    install('debian/18/bin', '18beta1');
    const { found, tooOld } = findPostgres({ searchPath: [old, half].join(delimiter), debianRoot });
    expect(found?.version).toBe('18beta1');
    expect(tooOld.map(({ version }) => version)).toEqual(['12.22']);
  });

  it('finds nothing where nothing is', () => {
    expect(findPostgres({ searchPath: root, debianRoot })).toEqual({ tooOld: [] });
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Manifest {
  exports: Record<string, unknown>;
  typesVersions: { '*': Record<string, string[]> };
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, unknown>;
}

const SOURCES = fileURLToPath(new URL('../../libs/jobs/src', import.meta.url));
const manifest = JSON.parse(readFileSync(new URL('../../libs/jobs/package.json', import.meta.url), 'utf8')) as Manifest;

describe('the package.json of the library', () => {
  const subpaths = readdirSync(SOURCES).filter((folder) => existsSync(`${SOURCES}/${folder}/index.ts`));
  const target = (path: string) => ({ types: `./dist/${path}index.d.ts`, default: `./dist/${path}index.js` });

  // `default` and not `import`: require() of a CommonJS app does not take `import`.
  it('exports the root and every folder with an index.ts, to import() and require() alike', () => {
    const folders = subpaths.map((folder) => [`./${folder}`, target(`${folder}/`)]);
    expect(manifest.exports).toEqual({
      '.': target(''),
      ...Object.fromEntries(folders),
      './package.json': './package.json',
    });
  });

  it('tells the types of each subpath to compilers that do not read `exports`', () => {
    const files = subpaths.map((folder) => [folder, [`./dist/${folder}/index.d.ts`]]);
    expect(manifest.typesVersions['*']).toEqual(Object.fromEntries(files));
  });

  it('asks for Nest and what Nest asks for; every other peer is optional', () => {
    const required = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];
    const optional = Object.keys(manifest.peerDependencies).filter((peer) => !required.includes(peer));
    expect(Object.keys(manifest.peerDependenciesMeta).toSorted()).toEqual(optional.toSorted());
  });
});

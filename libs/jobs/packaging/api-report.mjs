// npm run api:report writes what each subpath exports to libs/jobs/api; npm run api:check fails when that is out of date.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { entryPoints, PACKAGE_DIRECTORY, readManifest, REPOSITORY } from './manifest.mjs';

const TSC = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
const REPORTS = join(PACKAGE_DIRECTORY, 'api');
// In the repository, because the declarations must find the packages that they name.
const WORK = join(REPOSITORY, 'dist/api');
const DECLARATIONS = join(WORK, 'declarations');

const COMPILER_OPTIONS = {
  module: 'nodenext',
  target: 'ES2023',
  lib: ['ES2023'],
  types: ['node'],
  strict: true,
  skipLibCheck: true,
  experimentalDecorators: true,
};

function compileDeclarations() {
  rmSync(WORK, { recursive: true, force: true });
  const project = join(PACKAGE_DIRECTORY, 'tsconfig.lib.json');
  // Types are checked by `npm run typecheck`.
  const emit = ['--noCheck', '--emitDeclarationOnly', '--sourceMap', 'false', '--inlineSources', 'false'];
  const { status } = spawnSync(process.execPath, [TSC, '-p', project, ...emit, '--outDir', DECLARATIONS], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('The library does not compile, so its API cannot be read.');
}

/** @param {import('./manifest.mjs').EntryPoint} entry
 * @param {boolean} update
 * @returns {boolean} whether the report is what it was */
function report({ reportName, types }, update) {
  const mainEntryPointFilePath = join(DECLARATIONS, types.replace('./dist/', ''));
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(PACKAGE_DIRECTORY, 'package.json'),
    configObject: {
      projectFolder: REPOSITORY,
      mainEntryPointFilePath,
      newlineKind: 'lf',
      compiler: { overrideTsconfig: { compilerOptions: COMPILER_OPTIONS, files: [mainEntryPointFilePath] } },
      apiReport: {
        enabled: true,
        reportFileName: reportName,
        reportFolder: REPORTS,
        reportTempFolder: WORK,
        // Else the options that an exported type is put together from could change unseen.
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        // It would have another tag than @publicApi.
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: update,
    messageCallback: (message) => {
      message.handled = message.logLevel !== ExtractorLogLevel.Error;
    },
  });
  return !apiReportChanged;
}

/** @param {string[]} fileNames
 * @returns {string[]} reports of subpaths that are gone */
function orphans(fileNames) {
  return readdirSync(REPORTS).filter((file) => !fileNames.includes(file));
}

const update = process.argv.includes('--update');
mkdirSync(REPORTS, { recursive: true });
compileDeclarations();

const entries = entryPoints(readManifest());
const changed = entries.filter((entry) => !report(entry, update)).map(({ reportName }) => `${reportName}.api.md`);
const gone = orphans(entries.map(({ reportName }) => `${reportName}.api.md`));

if (update) {
  for (const file of gone) rmSync(join(REPORTS, file));
  const what = [...changed.map((file) => `wrote ${file}`), ...gone.map((file) => `removed ${file}`)];
  console.log(`API reports: ${what.join(', ') || 'nothing has changed'}.`);
} else if (changed.length + gone.length > 0) {
  for (const file of changed) {
    const files = [join(REPORTS, file), join(WORK, file)].map((path) => relative(REPOSITORY, path));
    spawnSync('git', ['--no-pager', 'diff', '--no-index', '--', ...files], { cwd: REPOSITORY, stdio: 'inherit' });
  }
  console.error(
    `\nThe public API is not what libs/jobs/api says (${[...changed, ...gone].join(', ')}). If that is meant, run ` +
      '`npm run api:report` and commit the reports with the change; else export what was exported before.',
  );
  process.exitCode = 1;
} else {
  console.log(`API reports: up to date (${entries.map(({ specifier }) => specifier).join(', ')}).`);
}

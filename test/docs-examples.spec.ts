import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Every `ts` block of the TSDoc comments, as a module beside its source file. */
function tsdocExamples(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of ts.sys.readDirectory(resolve(ROOT, 'libs/jobs/src'), ['.ts'], ['**/*.spec.ts'])) {
    const blocks = readFileSync(file, 'utf8').matchAll(/^ *\* ```ts\n(?<code>(?: *\*.*\n)*?) *\* ```$/gm);
    for (const [n, block] of [...blocks].entries()) {
      found.set(resolve(file).replace(/\.ts$/, `.example-${n}.ts`), block.groups!['code']!.replaceAll(/^ *\* ?/gm, ''));
    }
  }
  return found;
}

/** Every `ts` block of the guides: those of one page share a folder, under the name that a line `**x.ts**` gives. */
function guideExamples(): Map<string, string> {
  const found = new Map<string, string>();
  const guides = ts.sys.readDirectory(resolve(ROOT, 'docs'), ['.md']);
  for (const page of [resolve(ROOT, 'README.md'), resolve(ROOT, 'libs/jobs/README.md'), ...guides]) {
    const blocks = readFileSync(page, 'utf8').matchAll(
      /(?:^\*\*(?<title>[\w.-]+)\.ts\*\*\n\n)?^```ts\n(?<code>[^]*?)^```$/gm,
    );
    for (const [n, block] of [...blocks].entries()) {
      const { title = `example-${n}`, code } = block.groups!;
      const file = resolve(`${page}.examples`, `${title}.ts`);
      if (found.has(file)) throw new Error(`${page} has two blocks of the name ${title}.ts.`);
      found.set(file, code!);
    }
  }
  return found;
}

/** What the compiler says about modules that are not on disk. */
function problemsOf(files: Map<string, string>): string[] {
  const config = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)).config as object;
  const options = { ...ts.parseJsonConfigFileContent(config, ts.sys, ROOT).options, noEmit: true, incremental: false };
  const host = ts.createCompilerHost(options);
  const [fileExists, readFile] = [host.fileExists.bind(host), host.readFile.bind(host)];
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file) ?? readFile(file);
  // Without it the compiler looks for files everywhere, also in folders that are not on disk.
  host.directoryExists = undefined;
  const program = ts.createProgram([...files.keys()], options, host);
  const problems = [...files.keys()].flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)));
  return problems.map((problem) => {
    const message = ts.flattenDiagnosticMessageText(problem.messageText, '\n');
    return `${problem.file?.fileName.slice(ROOT.length)}: ${message}`;
  });
}

describe('the examples', () => {
  it.each([
    { where: 'TSDoc', find: tsdocExamples },
    { where: 'the guides', find: guideExamples },
  ])(
    'of $where compile',
    ({ find }) => {
      const files = find();
      expect(files.size).toBeGreaterThan(5);
      expect(problemsOf(files)).toEqual([]);
    },
    60_000,
  );
});

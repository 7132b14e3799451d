import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Every `ts` block of the TSDoc comments, as a module beside its source file. */
function examples(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of sourceFiles()) {
    const text = readFileSync(file, 'utf8');
    const blocks = text.matchAll(/^ *\* ```ts\n(?<code>(?: *\*.*\n)*?) *\* ```$/gm);
    for (const [n, block] of [...blocks].entries()) {
      found.set(file.replace(/\.ts$/, `.example-${n}.ts`), block.groups!['code']!.replaceAll(/^ *\* ?/gm, ''));
    }
  }
  return found;
}

function sourceFiles(): string[] {
  return ts.sys.readDirectory(resolve(ROOT, 'libs/jobs/src'), ['.ts'], ['**/*.spec.ts']).map((file) => resolve(file));
}

describe('the examples in TSDoc', () => {
  it('compile, each on its own', () => {
    const files = examples();
    expect(files.size).toBeGreaterThan(5);
    const config = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)).config as object;
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
    const host = ts.createCompilerHost({ ...options, noEmit: true });
    const [fileExists, readFile] = [host.fileExists.bind(host), host.readFile.bind(host)];
    host.fileExists = (file) => files.has(file) || fileExists(file);
    host.readFile = (file) => files.get(file) ?? readFile(file);
    const program = ts.createProgram([...files.keys()], { ...options, noEmit: true, incremental: false }, host);
    const problems = ts.getPreEmitDiagnostics(program).map((problem) => {
      const message = ts.flattenDiagnosticMessageText(problem.messageText, '\n');
      return `${problem.file?.fileName.slice(ROOT.length)}: ${message}`;
    });
    expect(problems).toEqual([]);
  }, 60_000);
});

import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL('app', import.meta.url));
const QUIET = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];

/** What `nest new` writes, as far as it matters for the package. */
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    moduleResolution: 'nodenext',
    target: 'ES2023',
    lib: ['ES2023'],
    types: ['node'],
    esModuleInterop: true,
    isolatedModules: true,
    emitDecoratorMetadata: true,
    experimentalDecorators: true,
    strict: true,
    skipLibCheck: true,
    rootDir: '.',
    outDir: 'dist',
  },
  files: ['main.ts'],
};

/** An app in a directory of its own, outside the repository, so that it finds only what npm installed for it. */
export class FreshApp {
  private constructor(readonly directory: string) {}

  static async create(type: 'module' | 'commonjs'): Promise<FreshApp> {
    const directory = await mkdtemp(join(tmpdir(), 'nestjs-jobs-install-'));
    await cp(SOURCES, directory, { recursive: true });
    await writeFile(join(directory, 'package.json'), JSON.stringify({ name: 'fresh-app', private: true, type }));
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    return new FreshApp(directory);
  }

  /** As a user would: npm refuses when the peer ranges do not fit. */
  async install(...packages: string[]): Promise<void> {
    await this.command('npm', ['install', ...QUIET, ...packages]);
  }

  /** With the TypeScript that the app has installed. */
  async compile(...parameters: string[]): Promise<void> {
    await this.command(process.execPath, ['node_modules/typescript/bin/tsc', ...parameters]);
  }

  /** Runs a file and reads the JSON of its last line. */
  async run(file: string, parameters: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<unknown> {
    const stdout = await this.command(process.execPath, [file, ...parameters], env);
    return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  }

  /** Runs a command that a package has brought, and gives what it prints. */
  async npx(name: string, parameters: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    return this.command('npx', ['--no-install', '--loglevel=error', name, ...parameters], env);
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  private async command(program: string, parameters: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    try {
      const { stdout } = await run(program, parameters, { cwd: this.directory, env: { ...process.env, ...env } });
      return stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`${program} ${parameters.join(' ')} in a fresh app:\n${stdout}\n${stderr}`, { cause: error });
    }
  }
}

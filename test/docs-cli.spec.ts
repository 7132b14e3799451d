import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { EXIT_CODES } from '../libs/jobs/src/cli/exit-codes.js';
import { createProgram } from '../libs/jobs/src/cli/program.js';

const guide = readFileSync(fileURLToPath(new URL('../docs/cli.md', import.meta.url)), 'utf8');
const program = createProgram(process);

/** The rows of all tables, each without the spaces that fill it up. */
const rows = guide
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );

function codesIn(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}

/** `nestjs-jobs limits set <name> <limit>` to its options. */
function commandsOf(command: Command, path: string): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const each of command.commands) {
    const own = `${path} ${each.name()}`;
    const parameters = each.registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
      return argument.required ? ` <${name}>` : ` [${name}]`;
    });
    all.set(own + parameters.join(''), each.options.map(({ flags }) => flags).toSorted());
    for (const [name, options] of commandsOf(each, own)) all.set(name, options);
  }
  return all;
}

describe('the guide to the command line', () => {
  it('[M4] [M5] has every command with its options, and no other', () => {
    const documented = rows.flatMap(([first, second]) => {
      const [name] = codesIn(first);
      return name?.startsWith('nestjs-jobs ') ? [[name, codesIn(second).toSorted()] as const] : [];
    });
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(commandsOf(program, 'nestjs-jobs')));
  });

  it('[M4] has every option that all commands take', () => {
    const known = program.options.map(({ flags }) => flags);
    const documented = rows.flatMap(([first]) => codesIn(first).filter((code) => code.startsWith('-')));
    expect(documented.toSorted()).toEqual([...known, '-h, --help'].toSorted());
  });

  it('[M4] has every exit code, as --help does', () => {
    const codes = Object.values(EXIT_CODES).map(String);
    expect(rows.map(([first]) => first).filter((cell) => /^\d+$/.test(cell ?? ''))).toEqual(codes);
    let help = '';
    program.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect([...help.matchAll(/(?:^|\s)(\d) [a-z]/g)].map(([, code]) => code)).toEqual(codes);
  });
});

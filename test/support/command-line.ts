import { parseArgs, type ParseArgsConfig } from 'node:util';

/** A command line that cannot be followed. */
export class UsageError extends Error {}

/** Runs a script's `main`; what is wrong with its command line is said before its usage. */
export async function runScript(usage: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    process.exitCode = 2;
  }
}

type OptionTypes = NonNullable<ParseArgsConfig['options']>;
type Arguments<Options extends OptionTypes> = ReturnType<
  typeof parseArgs<{ options: Options; allowPositionals: true }>
>;

export function readArguments<const Options extends OptionTypes>(options: Options): Arguments<Options> {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The one thing of `all` that the command line names; `kind` is what such a thing is called. */
export function readNamed<Thing>(
  kind: string,
  all: Readonly<Record<string, Thing>>,
  positionals: readonly string[],
): [name: string, thing: Thing] {
  const [name = '', ...extra] = positionals;
  const thing = Object.hasOwn(all, name) ? all[name] : undefined;
  if (thing !== undefined && extra.length === 0) return [name, thing];
  throw new UsageError(`Name one ${kind} of ${Object.keys(all).join(', ')}, not "${positionals.join(' ')}".`);
}

/** What stands between commas, each once. */
export function readList(list: string): string[] {
  return [...new Set(list.split(',').map((name) => name.trim()))];
}

export function readChoices<Name extends string>(option: string, list: string, allowed: readonly Name[]): Name[] {
  const asked = readList(list);
  const known = allowed.filter((name) => asked.includes(name));
  if (known.length === asked.length) return known;
  throw new UsageError(`--${option} takes some of ${allowed.join(', ')} here, not "${list}".`);
}

/** Undefined when the option was not given. */
export function readWholeNumber(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least && text.trim() !== '') return number;
  throw new UsageError(`--${option} takes a whole number of at least ${least}, not "${text}".`);
}

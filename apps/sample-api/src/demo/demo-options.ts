import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

export type DemoSource = { dataset: string } | { file: string; name: string };

export interface DemoOptions {
  source: DemoSource;
  groupBy: string;
  measure: string;
  /** Whether it is followed by server-sent events instead of polling. */
  live: boolean;
}

export const USAGE = `Makes a report and shows how it goes.

  npm run demo                                                       with the dataset seattle-weather
  npm run demo -- FILE.csv --group-by COLUMN --measure COLUMN        with a file of yours
  npm run demo -- --live                                             by server-sent events instead of polling

It uses the server at DEMO_URL, or else at http://localhost:PORT (PORT is 3000 unless set).
When nobody answers there, it starts a server of its own and stops it at the end.`;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Undefined when help was asked for. */
export async function readDemoOptions(args: string[]): Promise<DemoOptions | undefined> {
  const { values, positionals } = parse(args);
  if (values.help === true) {
    return undefined;
  }
  const [file, ...extra] = positionals;
  const live = values.live ?? false;
  if (file === undefined) {
    return {
      source: { dataset: 'seattle-weather' },
      groupBy: values['group-by'] ?? 'weather',
      measure: values.measure ?? 'precipitation',
      live,
    };
  }
  if (extra.length > 0) {
    throw new UsageError(`One file at a time, please; there are ${positionals.length}.`);
  }
  if (values['group-by'] === undefined || values.measure === undefined) {
    throw new UsageError('With a file, say which columns to use: --group-by COLUMN --measure COLUMN');
  }
  const isFile = await stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) {
    throw new UsageError(`There is no file ${file}.`);
  }
  const name = basename(file).replace(/\.csv$/i, '');
  return { source: { file, name }, groupBy: values['group-by'], measure: values.measure, live };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        'group-by': { type: 'string' },
        measure: { type: 'string' },
        live: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

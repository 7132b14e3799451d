import type { WriteStream } from 'node:tty';
import { printable, printableJson, withoutSecrets } from './printable.js';
import { listOf, tableOf, type Column } from './table.js';

type Stream = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY'>>;

/** @internal */
export interface OutputOptions {
  readonly json: boolean;
  readonly colour: boolean;
}

/** What a command says: to people as text, or to a script as one JSON document, on stdout. @internal */
export class Output {
  constructor(
    readonly options: OutputOptions,
    private readonly stdout: Stream,
  ) {}

  get isJson(): boolean {
    return this.options.json;
  }

  /** The whole answer for a script; nothing for people. */
  json(value: unknown): void {
    if (this.isJson) this.stdout.write(`${printableJson(JSON.stringify(value, undefined, 2))}\n`);
  }

  /** For people. What comes of the store is made harmless here. */
  line(text = ''): void {
    if (!this.isJson) this.stdout.write(`${text.split('\n').map(printable).join('\n')}\n`);
  }

  /** @param empty - what is said when there are no rows. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], empty: string): void {
    if (this.isJson) return;
    if (rows.length === 0) return this.line(empty);
    this.stdout.write(`${tableOf(columns, rows, this.options.colour)}\n`);
  }

  list(fields: Parameters<typeof listOf>[0]): void {
    if (!this.isJson) this.stdout.write(`${listOf(fields)}\n`);
  }
}

/** Why the command ends otherwise than it was meant to. @internal */
export function reportError(error: unknown, exitCode: number, json: boolean, stderr: Stream): void {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  const said = withoutSecrets(message.replace(/^nestjs-jobs: |^error: /, ''));
  const text = json
    ? printableJson(JSON.stringify({ error: { name, message: said, exitCode } }))
    : `nestjs-jobs: ${said.split('\n').map(printable).join('\n')}`;
  stderr.write(`${text}\n`);
}

/** Colours are for people at a terminal, unless they do not want them (https://no-color.org). @internal */
export function wantsColour(stream: Stream, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

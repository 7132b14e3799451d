import { createInterface } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import { CliError, EXIT_CODES } from './exit-codes.js';
import { printable } from './printable.js';

/** Where is asked, and from where the answer comes. @internal */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY'>>;
  /** Not stdout, which may be a file. */
  readonly output: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY'>>;
}

/**
 * Has somebody confirm what is about to be done, unless `--yes` did.
 *
 * @param what - says what will be done and to how much, as in "This removes 12 jobs of the queue bulk."
 * @throws {CliError} when nobody did: then nothing may be done.
 * @internal
 */
export async function requireConfirmation(what: string, isConfirmed: boolean, terminal: Terminal): Promise<void> {
  if (isConfirmed) return;
  if (!terminal.input.isTTY || !terminal.output.isTTY) {
    const message = `${what} Nothing was done, since nobody is there to confirm it: add --yes to do it without a question.`;
    throw new CliError(message, EXIT_CODES.refused);
  }
  const answer = await ask(`${printable(what)} Go on? [y/N] `, terminal);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('Not confirmed. Nothing was done.', EXIT_CODES.refused);
}

/** '' when the input has ended. Ctrl+C ends the process, as ever. */
async function ask(question: string, { input, output }: Terminal): Promise<string> {
  const lines = createInterface({ input, terminal: false });
  output.write(question);
  try {
    return await new Promise<string>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(''));
    });
  } finally {
    lines.close();
  }
}

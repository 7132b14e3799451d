import { PassThrough } from 'node:stream';
import { requireConfirmation } from './confirmation.js';
import { EXIT_CODES } from './exit-codes.js';

const WHAT = 'This removes 12 jobs of the queue bulk.';

class FakeTerminal {
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  private shown = '';

  constructor(input = true, output = true) {
    Object.assign(this.input, { isTTY: input });
    Object.assign(this.output, { isTTY: output });
    this.output.on('data', (chunk: Buffer) => (this.shown += chunk.toString()));
  }

  get text(): string {
    return this.shown;
  }
}

describe('a confirmation', () => {
  it.each(['y', 'yes', 'Y', ' YES '])('[M5] goes on after %j', async (answer) => {
    const terminal = new FakeTerminal();
    const confirmed = requireConfirmation(WHAT, false, terminal);
    terminal.input.write(`${answer}\n`);

    await expect(confirmed).resolves.toBeUndefined();
    expect(terminal.text).toBe(`${WHAT} Go on? [y/N] `);
  });

  it.each(['n', '', 'no', 'yy', 'yes please'])('[M5] does nothing after %j', async (answer) => {
    const terminal = new FakeTerminal();
    const confirmed = requireConfirmation(WHAT, false, terminal);
    terminal.input.write(`${answer}\n`);

    await expect(confirmed).rejects.toMatchObject({ exitCode: EXIT_CODES.refused });
  });

  it('[M5] does nothing when the input ends without an answer', async () => {
    const terminal = new FakeTerminal();
    const confirmed = requireConfirmation(WHAT, false, terminal);
    terminal.input.end();

    await expect(confirmed).rejects.toMatchObject({ exitCode: EXIT_CODES.refused });
  });

  it.each([
    { where: 'stdin', terminal: () => new FakeTerminal(false, true) },
    { where: 'stderr', terminal: () => new FakeTerminal(true, false) },
  ])('[M5] is refused where $where is no terminal, and says how it is given', async ({ terminal }) => {
    const fake = terminal();
    const confirmed = requireConfirmation(WHAT, false, fake);

    await expect(confirmed).rejects.toMatchObject({
      exitCode: EXIT_CODES.refused,
      message: expect.stringMatching(/^This removes 12 jobs.*Nothing was done.*--yes/),
    });
    expect(fake.text).toBe('');
  });

  it('[M5] is not asked for when it was given', async () => {
    const fake = new FakeTerminal(false, false);
    await requireConfirmation(WHAT, true, fake);
    expect(fake.text).toBe('');
  });

  it('[M5] shows names without commands to the terminal', async () => {
    const terminal = new FakeTerminal();
    const confirmed = requireConfirmation('This deletes a\u001b[2Jb.', false, terminal);
    terminal.input.write('y\n');
    await confirmed;
    expect(terminal.text).toContain('a\\x1b[2Jb');
  });
});

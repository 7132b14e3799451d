import { eventually } from './eventually.js';

// Only for checks that never hold: one that holds must get the time that a busy machine takes.
const impatient = { timeout: 40, interval: 1 };

describe('eventually', () => {
  it('resolves to the first value that is neither false nor null', async () => {
    const answers = [0, false, null];
    expect(await eventually(() => answers.pop(), { interval: 1 })).toBe(0);
    expect(answers).toEqual([]);
  });

  it('looks again while the assertion throws', async () => {
    let looks = 0;
    await eventually(() => expect(++looks).toBe(3), { interval: 1 });
    expect(looks).toBe(3);
  });

  it('fails with the last error as message and cause', async () => {
    const last = new Error('not there');
    const failing = eventually(() => Promise.reject(last), impatient);
    await expect(failing).rejects.toMatchObject({
      message: expect.stringMatching(/did not hold within 40 ms .*not there/),
      cause: last,
    });
  });

  it('does not hang on a check that never settles', async () => {
    await expect(eventually(() => new Promise(() => {}), impatient)).rejects.toThrow(/did not settle/);
  });
});

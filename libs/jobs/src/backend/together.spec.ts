import { BackendUnavailableError } from './backend.errors.js';
import { Together } from './together.js';

/** Answers when it is let, and remembers what it was asked. */
class Store {
  readonly asked: (readonly number[])[] = [];
  private waiting: (() => void)[] = [];
  isOpen = true;
  failure: ((items: readonly number[]) => Error | undefined) | undefined;

  readonly ask = async (items: readonly number[]): Promise<string[]> => {
    this.asked.push(items);
    if (!this.isOpen) await new Promise<void>((resolve) => this.waiting.push(resolve));
    const failure = this.failure?.(items);
    if (failure) throw failure;
    return items.map((item) => `a${item}`);
  };

  answer(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** Long enough for whatever needs no answer. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('what is asked together', () => {
  it('is what one turn of the event loop asks for, and each has its own answer', async () => {
    const store = new Store();
    const together = new Together(store.ask, 10);
    expect(await Promise.all([1, 2, 3].map((n) => together.answer(n)))).toEqual(['a1', 'a2', 'a3']);
    expect(await together.answer(4)).toBe('a4');
    expect(store.asked).toEqual([[1, 2, 3], [4]]);
  });

  it('is what is asked for while an answer is awaited, so many at a time', async () => {
    const store = new Store();
    const together = new Together(store.ask, 2);
    store.isOpen = false;
    const first = together.answer(1);
    await turn();
    const others = [2, 3, 4].map((n) => together.answer(n));
    await turn();
    expect(store.asked).toEqual([[1]]);
    store.isOpen = true;
    store.answer();
    expect(await Promise.all([first, ...others])).toEqual(['a1', 'a2', 'a3', 'a4']);
    expect(store.asked).toEqual([[1], [2, 3], [4]]);
  });

  it('is asked for one by one when it fails, so that one fails alone, and goes on', async () => {
    const store = new Store();
    const together = new Together(store.ask, 10);
    store.failure = (items) => (items.includes(2) ? new Error('not 2') : undefined);
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => together.answer(n)));
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 'a1' },
      { status: 'rejected', reason: new Error('not 2') },
      { status: 'fulfilled', value: 'a3' },
    ]);
    expect(await together.answer(4)).toBe('a4');
    expect(store.asked).toEqual([[1, 2, 3], [1], [2], [3], [4]]);
  });

  it('fails as a whole, once, when the store is away', async () => {
    const store = new Store();
    const together = new Together(store.ask, 10);
    store.failure = () => new BackendUnavailableError('redis', 10);
    const outcomes = await Promise.allSettled([1, 2].map((n) => together.answer(n)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(store.asked).toEqual([[1, 2]]);
  });
});

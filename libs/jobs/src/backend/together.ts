import { BackendUnavailableError } from './backend.errors.js';

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Asks together for what is asked for in one turn of the event loop, or while an answer is awaited: under load many share a
 * round trip and a transaction. The idea is that of databases, which commit in groups.
 *
 * @internal
 */
export class Together<Item, Answer> {
  private waiting: Waiting<Item, Answer>[] = [];
  private isAsking = false;

  /**
   * @param ask - answers in the order of the items. When it fails for several of them, each is asked for alone.
   * @param most - items of one question.
   */
  constructor(
    private readonly ask: (items: readonly Item[]) => Promise<readonly Answer[]>,
    private readonly most: number,
  ) {}

  answer(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (this.isAsking) return;
      this.isAsking = true;
      setImmediate(() => void this.askForAll());
    });
  }

  private async askForAll(): Promise<void> {
    while (this.waiting.length > 0) await this.askFor(this.waiting.splice(0, this.most));
    this.isAsking = false;
  }

  private async askFor(all: readonly Waiting<Item, Answer>[]): Promise<void> {
    try {
      const answers = await this.ask(all.map(({ item }) => item));
      for (const [n, { resolve }] of all.entries()) resolve(answers[n]!);
    } catch (error) {
      // What is wrong with one of them is no matter of the others.
      if (all.length > 1 && !(error instanceof BackendUnavailableError)) {
        await Promise.all(all.map((each) => this.askFor([each])));
      } else for (const { reject } of all) reject(error);
    }
  }
}

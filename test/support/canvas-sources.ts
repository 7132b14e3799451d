import type { Signature } from 'nestjs-jobs';
import { number } from './sums.js';

export type Part = Signature<undefined, number>;

/** Gives members, and knows how it was read. */
export class Source<Member = Part> implements AsyncIterable<Member> {
  read = 0;
  isClosed = false;
  opened = 0;

  constructor(
    private readonly count: number,
    private readonly of: (n: number) => Member | Promise<Member>,
  ) {}

  [Symbol.asyncIterator](): AsyncIterator<Member> {
    this.opened++;
    let n = 0;
    return {
      next: async () => {
        if (n === this.count) return { done: true, value: undefined };
        this.read = n + 1;
        return { done: false, value: await this.of(n++) };
      },
      return: async () => {
        this.isClosed = true;
        return { done: true, value: undefined };
      },
    };
  }
}

export function* sync(count: number): Generator<Part> {
  for (let n = 0; n < count; n++) yield number.s(n);
}

export async function* later(count: number): AsyncGenerator<Part> {
  yield* sync(count);
}

/** The same iterable of other members. */
export function forEach<Member>(
  parts: Iterable<Part> | AsyncIterable<Part>,
  make: (part: { n: number }) => Member,
): AsyncIterable<Member> {
  return (async function* (): AsyncGenerator<Member> {
    let n = 0;
    for await (const _part of parts) yield make({ n: n++ });
  })();
}

/** What a BullMQ worker keeps its promises in until they settle. */
interface PendingPromises extends Iterable<Promise<unknown>> {
  readonly size: number;
  add(promise: Promise<unknown>): unknown;
  delete(promise: Promise<unknown>): unknown;
}

interface MainLoop {
  mainLoopQueue?: { pending?: PendingPromises } | null;
}

/** As many as a worker has slots: looking through them takes less time than hashing one. */
class FewPromises implements PendingPromises {
  private readonly promises: Promise<unknown>[] = [];

  get size(): number {
    return this.promises.length;
  }

  add(promise: Promise<unknown>): void {
    this.promises.push(promise);
  }

  delete(promise: Promise<unknown>): void {
    const place = this.promises.indexOf(promise);
    if (place < 0) return;
    const last = this.promises.pop()!;
    if (last !== promise) this.promises[place] = last;
  }

  [Symbol.iterator](): Iterator<Promise<unknown>> {
    return this.promises[Symbol.iterator]();
  }
}

/**
 * BullMQ keeps the promises of a worker's running jobs in a Set. V8's Set makes its table anew again and again, and each
 * old table leads to the next: once one of them is taken for long-lived, all promises in those after it are kept until
 * the next full collection, with the jobs that they resolved to. That is a third of what the garbage collector does.
 *
 * A BullMQ that is built otherwise does as it always does.
 *
 * @internal
 */
export function forgetSettledPromises(worker: object): void {
  let queue: MainLoop['mainLoopQueue'] = (worker as MainLoop).mainLoopQueue;
  Object.defineProperty(worker, 'mainLoopQueue', {
    configurable: true,
    enumerable: true,
    get: () => queue,
    set: (next: MainLoop['mainLoopQueue']) => {
      if (next?.pending instanceof Set && next.pending.size === 0) next.pending = new FewPromises();
      queue = next;
    },
  });
}

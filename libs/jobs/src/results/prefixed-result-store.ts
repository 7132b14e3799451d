import type { Readable } from 'node:stream';
import type { ByteRange, FoundResult, ResultStore, WrittenResult } from './result-store.js';

/** Part of a store that others use as well. @internal */
export class PrefixedResultStore implements ResultStore {
  constructor(
    private readonly store: ResultStore,
    private readonly prefix: string,
  ) {}

  write(key: string, body: Readable, contentType: string): Promise<WrittenResult> {
    return this.store.write(this.prefix + key, body, contentType);
  }

  read(key: string, range?: ByteRange): Promise<Readable | undefined> {
    return this.store.read(this.prefix + key, range);
  }

  remove(keys: readonly string[]): Promise<void> {
    return this.store.remove(keys.map((key) => this.prefix + key));
  }

  async list(cursor?: string): Promise<{ results: FoundResult[]; cursor?: string }> {
    const page = await this.store.list(cursor);
    const results = page.results
      .filter(({ key }) => key.startsWith(this.prefix))
      .map((found) => ({ ...found, key: found.key.slice(this.prefix.length) }));
    return { results, ...(page.cursor !== undefined && { cursor: page.cursor }) };
  }
}

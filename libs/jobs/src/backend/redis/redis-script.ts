import type { Cluster, Redis } from 'ioredis';

type Call = (keyCount: number, ...keysAndValues: (string | number)[]) => Promise<unknown>;

/** A Lua script that the server is sent once, and called by its hash from then on. @internal */
export class RedisScript {
  private readonly command: string;

  /** @param name - of its own among all scripts. */
  constructor(
    name: string,
    private readonly lua: string,
  ) {
    this.command = `nestjs-jobs:${name}`;
  }

  run(client: Redis | Cluster, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    const commands = client as unknown as Record<string, Call | undefined>;
    if (!commands[this.command]) client.defineCommand(this.command, { lua: this.lua });
    return commands[this.command]!(keys.length, ...keys, ...values);
  }
}

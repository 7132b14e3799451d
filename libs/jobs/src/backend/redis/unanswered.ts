import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, type Redis } from 'ioredis';

/** Commands of BullMQ's that are answered when there is something to tell. It waits no longer for them than is due. */
const BLOCKING = new Set(['bzpopmin', 'xread']);

/** Whether a client still waits, after `timeout` ms, for an answer that Redis gives at once. @internal */
export async function waitsForAnswer(client: Redis | Cluster, timeout: number): Promise<boolean> {
  const asked = (client instanceof Cluster ? client.nodes() : [client]).flatMap((node) => {
    const item = node.commandQueue.peekFront();
    return item && !BLOCKING.has(item.command.name) ? [{ node, item }] : [];
  });
  if (asked.length === 0) return false;
  await sleep(timeout, undefined, { ref: false });
  return asked.some(({ node, item }) => node.commandQueue.peekFront() === item);
}

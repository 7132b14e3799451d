import { Cluster, type Redis } from 'ioredis';

/**
 * Of the commands that wait for an answer, the part that may be held back to leave together. One write for all that are
 * given in a turn of the event loop would have Redis idle while this process works, and this process while Redis does.
 */
const HELD_PART = 1 / 8;

/**
 * Lets commands that a busy client is given in one turn of the event loop leave in few writes: each write is a call of
 * the kernel, and those are the largest single cost of a short job.
 *
 * The commands stay the same, and so does their order; none is held beyond the turn.
 *
 * @internal
 */
export function coalesceWrites(client: Redis | Cluster): void {
  if (client instanceof Cluster) client.on('+node', coalesce);
  else coalesce(client);
}

function coalesce(client: Redis): void {
  const send = client.sendCommand.bind(client);
  let corked: Redis['stream'] | undefined;
  let held = 0;
  const release = (): void => {
    corked?.uncork();
    corked = undefined;
    held = 0;
  };
  client.sendCommand = (command, stream) => {
    const most = client.commandQueue.length * HELD_PART;
    if (!corked && most > 1) {
      corked = client.stream;
      corked.cork();
      process.nextTick(release);
    }
    const answer = send(command, stream);
    if (corked && ++held >= most) release();
    return answer;
  };
}

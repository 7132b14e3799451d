import type { FlowProducer } from 'bullmq';

/**
 * BullMQ asks for the backend of a node's queue with each node of a flow, and each is made anew, with all the keys of the
 * queue: one for each queue is enough.
 *
 * @internal
 */
export function keepSiblings<Producer extends FlowProducer>(producer: Producer): Producer {
  const backend = producer.getBackend();
  const make = backend.forQueue.bind(backend);
  const siblings = new Map<string, ReturnType<typeof make>>();
  backend.forQueue = (queue, prefix) => {
    let sibling = siblings.get(queue);
    if (!sibling) siblings.set(queue, (sibling = make(queue, prefix)));
    return sibling;
  };
  return producer;
}

import type { Figures } from '../census/figures.js';
import { fleetSamples } from './fleet-samples.js';

const queue = { waiting: 0, delayed: 0, blocked: 0, running: 0, deadLetters: 0, paused: false };

describe('the age of the oldest waiting job', () => {
  it('[M2] is what it was when it was counted: it may have begun since', () => {
    const at = Date.now() - 3_600_000;
    const queues = [
      { ...queue, queue: 'busy', waiting: 1, oldestWaitingSince: at - 20 },
      { ...queue, queue: 'idle' },
    ];
    const figures: Figures = { at, queues, locksWaiting: 0 };
    expect(fleetSamples('oldest', figures)).toEqual([
      { labels: { queue: 'busy' }, value: 0.02 },
      { labels: { queue: 'idle' }, value: 0 },
    ]);
  });
});

import type { Figures, QueueFigures } from '../census/figures.js';
import type { FLEET_GAUGES } from './metric-definitions.js';
import type { Sample } from './read-metric.js';

const STATES = ['waiting', 'delayed', 'blocked', 'running'] as const satisfies (keyof QueueFigures)[];

/** What was counted in the fleet, as lines of a scrape. @internal */
export function fleetSamples(gauge: keyof typeof FLEET_GAUGES, { at, queues, locksWaiting }: Figures): Sample[] {
  switch (gauge) {
    case 'depth':
      return queues.flatMap((figures) =>
        STATES.map((state) => ({ labels: { queue: figures.queue, state }, value: figures[state] })),
      );
    case 'oldest':
      // Not until now: since it was counted, the job may have begun.
      return queues.map(({ queue, oldestWaitingSince: since = at }) => ({
        labels: { queue },
        value: (at - since) / 1_000,
      }));
    case 'deadLetters':
      return queues.map(({ queue, deadLetters }) => ({ labels: { queue }, value: deadLetters }));
    case 'locksWaiting':
      return [{ labels: {}, value: locksWaiting }];
  }
}

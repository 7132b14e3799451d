import { defaultRepeatStrategy, type RepeatOptions } from 'bullmq';
import { FireTimes, type FireWindow, type Timing } from './fire-times.js';

/** How a pattern of ours begins, among those of BullMQ's schedulers that the app has made itself. */
const OURS = 'nestjs-jobs:';

/** What BullMQ keeps of a schedule, and asks {@link repeatStrategy} with. @internal */
export function alarmPattern(timing: Timing, window: FireWindow): string {
  return OURS + JSON.stringify([timing, window]);
}

/** BullMQ's setting: the time of the next alarm, by the same arithmetic as the times of the jobs. @internal */
export function repeatStrategy(now: number, options: RepeatOptions): number | undefined {
  if (!options.pattern?.startsWith(OURS)) return defaultRepeatStrategy(now, options);
  const [timing, window] = JSON.parse(options.pattern.slice(OURS.length)) as [Timing, FireWindow];
  return new FireTimes(timing, window).after(now);
}

import { randomInt } from 'node:crypto';

/** A schedule as it is stored: text of whoever stores it, and what it is found by. @internal */
export interface StoredSchedule {
  readonly name: string;
  /** Grows by one each time that it is written. */
  readonly version: number;
  readonly body: string;
}

/**
 * The version of a schedule that is new: hardly one that another of its name has had, or who still has that in hand would
 * write it over this one.
 *
 * @internal
 */
export function firstVersion(): number {
  return randomInt(1, 2 ** 30);
}

/** What a schedule is found by beside its name. @internal */
export interface ScheduleIndex {
  /** When it fires next, in milliseconds since the epoch; undefined for one that does not. */
  readonly next?: number | undefined;
  readonly owner?: string | undefined;
}

/** @internal */
export interface SchedulePage {
  readonly schedules: readonly StoredSchedule[];
  /** Where the next page begins; undefined after the last one. */
  readonly cursor: string | undefined;
}

/**
 * Schedules, each under a name, in the same store as the queues. Every operation is one round trip and atomic, and none
 * takes longer because there are many schedules.
 *
 * @internal
 */
export interface ScheduleStore {
  read(name: string): Promise<StoredSchedule | undefined>;
  /**
   * Writes it if it still has that version (0: if there is none).
   *
   * @returns false when it has another one; then nothing was written.
   */
  write(name: string, version: number, body: string, index: ScheduleIndex): Promise<boolean>;
  /** False when there was none, or none of that version. */
  remove(name: string, version?: number): Promise<boolean>;
  /** By name, from after `cursor` on; those of one owner, or all. */
  list(options: { cursor?: string | undefined; limit: number; owner?: string | undefined }): Promise<SchedulePage>;
  /** The names of those whose next fire is before a time, the oldest first. */
  overdue(before: number, limit: number): Promise<string[]>;
}

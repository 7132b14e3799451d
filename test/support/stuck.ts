import { Injectable } from '@nestjs/common';
import { Idempotent, Locked, RateLimited, Snooze, Task, task, type JobContext } from 'nestjs-jobs';
import { signal } from './signals.js';

interface Gate {
  readonly entered: Promise<void>;
  readonly open: () => void;
}

/** Tasks that do not run, or not on, in every way there is. */
@Injectable()
export class Stuck {
  private static gates = new Map<string, { enter: () => void; opened: Promise<void>; open: () => void }>();

  /** Jobs of this name stay in their method until it is opened. */
  static gate(name: string): Gate {
    const [entered, opened] = [signal(), signal()];
    Stuck.gates.set(name, { enter: () => entered.reach(), opened: opened.reached, open: () => opened.reach() });
    return { entered: entered.reached, open: () => opened.reach() };
  }

  static open(name: string): void {
    Stuck.gates.get(name)!.open();
  }

  static openAll(): void {
    for (const { open } of Stuck.gates.values()) open();
    Stuck.gates.clear();
  }

  @Task({ name: 'stuck.echo' })
  echo(text: string): string {
    return text;
  }

  /** Stays while there is a gate of that name. */
  @Task({ name: 'stuck.hold', retry: { attempts: 1 } })
  async hold(name: string, _job?: JobContext): Promise<string> {
    const gate = Stuck.gates.get(name);
    gate?.enter();
    await gate?.opened;
    return name;
  }

  @Task({ name: 'stuck.fail', retry: { attempts: 2, delay: '1h', maxDelay: '1h', jitter: 'none' } })
  fail(): void {
    throw new RangeError('out of luck');
  }

  @Task({ name: 'stuck.fail-at-once', retry: { attempts: 1 } })
  failAtOnce(): void {
    throw new RangeError('out of luck');
  }

  @Task({ name: 'stuck.snooze' })
  snooze(): void {
    throw new Snooze('1h');
  }

  @Task({ name: 'stuck.locked' })
  @Locked({ key: ({ key }) => key, ttl: '20s' })
  locked({ name }: { key: string; name: string }): Promise<string> {
    return this.hold(name);
  }

  @Task({ name: 'stuck.pair' })
  @Locked({ key: ({ key }) => key, ttl: '20s', limit: 2 })
  pair({ name }: { key: string; name: string }): Promise<string> {
    return this.hold(name);
  }

  @Task({ name: 'stuck.limited' })
  @RateLimited({ limit: '1/h', name: 'stuck', key: ({ tenant }) => tenant })
  limited(_payload: { tenant: string }): void {}

  @Task({ name: 'stuck.quick' })
  @RateLimited({ limit: '1/2s', name: 'quick' })
  quick(): void {}

  @Task({ name: 'stuck.once' })
  @Idempotent({ key: ({ key }) => key, ttl: '1h' })
  once({ name }: { key: string; name: string }): Promise<string> {
    return this.hold(name);
  }
}

export const echo = task(Stuck, 'echo');
export const hold = task(Stuck, 'hold');
export const fail = task(Stuck, 'fail');
export const failAtOnce = task(Stuck, 'failAtOnce');
export const snooze = task(Stuck, 'snooze');
export const locked = task(Stuck, 'locked');
export const pair = task(Stuck, 'pair');
export const limited = task(Stuck, 'limited');
export const quick = task(Stuck, 'quick');
export const once = task(Stuck, 'once');

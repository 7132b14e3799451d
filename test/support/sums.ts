import { Injectable } from '@nestjs/common';
import { NonRetryableError, OnFailure, Task, task, type CanvasFailure, type JobFailure } from 'nestjs-jobs';

/** Celery's documentation calculates with these. */
@Injectable()
export class Sums {
  readonly ran: string[] = [];
  readonly linked: unknown[] = [];
  readonly failures: CanvasFailure[] = [];
  readonly handled: string[] = [];

  @Task()
  async add({ x, y }: { x: number; y: number }): Promise<number> {
    this.ran.push(`add ${x} ${y}`);
    return x + y;
  }

  @Task()
  async multiply({ x, y }: { x: number; y: number }): Promise<number> {
    return x * y;
  }

  @Task()
  async xsum(numbers: number[]): Promise<number> {
    this.ran.push(`xsum ${numbers.length}`);
    return numbers.reduce((sum, n) => sum + n, 0);
  }

  @Task()
  async identity(value: unknown): Promise<unknown> {
    return value;
  }

  @Task()
  async number(value: number): Promise<number> {
    return value;
  }

  @Task({ retry: { attempts: 1 } })
  async fail(payload: { message: string }): Promise<number> {
    throw new NonRetryableError(payload.message, { code: 'ON_PURPOSE' });
  }

  @Task()
  async link(value: unknown): Promise<void> {
    this.linked.push(value);
  }

  @Task()
  async errback(failure: CanvasFailure): Promise<void> {
    this.failures.push(failure);
  }

  @OnFailure()
  async onFailure(failure: JobFailure): Promise<void> {
    this.handled.push(failure.id);
  }
}

export const add = task(Sums, 'add');
export const multiply = task(Sums, 'multiply');
export const xsum = task(Sums, 'xsum');
export const identity = task(Sums, 'identity');
export const number = task(Sums, 'number');
export const fail = task(Sums, 'fail');
export const link = task(Sums, 'link');
export const errback = task(Sums, 'errback');

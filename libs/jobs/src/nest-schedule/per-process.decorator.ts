/** Read by every copy of the library that an app may have installed, hence a string. */
const PER_PROCESS = 'nestjs-jobs:per-process';

/**
 * Leaves a method to @nestjs/schedule where `adoptNestSchedule: true` adopts all others: it goes on running in every
 * process, as is right for what belongs to the process, like a cache in its memory. Without the option it changes nothing.
 *
 * @example
 * ```ts
 * import { Injectable } from '@nestjs/common';
 * import { Interval } from '@nestjs/schedule';
 * import { PerProcess } from 'nestjs-jobs/nest-schedule';
 *
 * @Injectable()
 * export class Rates {
 *   private current: Promise<Response> | undefined;
 *
 *   @PerProcess()
 *   @Interval(60_000)
 *   refresh(): void {
 *     this.current = fetch('https://rates.example/');
 *   }
 * }
 * ```
 *
 * @publicApi
 */
export function PerProcess(): MethodDecorator {
  return (_target, _method, descriptor) => {
    Reflect.defineMetadata(PER_PROCESS, true, descriptor.value as object);
  };
}

/** @internal */
export function isPerProcess(handler: object): boolean {
  return Reflect.hasMetadata(PER_PROCESS, handler);
}

import { Logger } from '@nestjs/common';
import type { ProviderWrapper } from '../task/task-definition.js';
import { EventListener } from './event-listener.js';
import type { JobEvent } from './job-event.js';

const event = { event: 'succeeded', id: 'default_1', task: 'mails.send' } as JobEvent;

function listenerThat(method: () => unknown): EventListener {
  const provider = { instance: { method }, isDependencyTreeStatic: () => true } as unknown as ProviderWrapper;
  const place = 'Odd.method in AppModule';
  return new EventListener(
    { provider, method: 'method', place },
    { events: ['succeeded'], tasks: null, scope: 'local' },
  );
}

const throws = (): never => {
  throw new Error('on purpose');
};

describe('a listener of job events', () => {
  beforeAll(() => Logger.overrideLogger(false));

  it.each([
    [
      'throws nothing',
      (): never => {
        throw null;
      },
    ],
    [
      'throws a proxy that throws',
      (): never => {
        throw new Proxy({}, { get: throws, getPrototypeOf: throws });
      },
    ],
    ['returns a promise of another kind whose getter throws', () => new Proxy({}, { get: throws })],
    ['returns a promise of another kind that throws', () => new Proxy({}, { get: () => throws })],
  ])('[M1] hinders nobody when it %s', async (_, method) => {
    const listener = listenerThat(method);
    expect(() => listener.call(event)).not.toThrow();
    await listener.idle();
    expect(listener.counts).toMatchObject({ errors: 1, running: 0 });
  });
});

import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { ShutdownHooksCheck } from './shutdown-hooks-check.js';

describe('the check for shutdown hooks', () => {
  const onSigterm = (): void => {};
  const { NODE_ENV } = process.env;
  let listenersBefore: NodeJS.SignalsListener[];
  let warn: jest.SpiedFunction<Logger['warn']>;

  beforeEach(() => {
    jest.useFakeTimers();
    warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    process.env['NODE_ENV'] = 'production';
    listenersBefore = process.listeners('SIGTERM');
    process.removeAllListeners('SIGTERM');
  });
  afterEach(() => {
    jest.useRealTimers();
    warn.mockRestore();
    process.env['NODE_ENV'] = NODE_ENV;
    process.removeAllListeners('SIGTERM');
    for (const listener of listenersBefore) process.on('SIGTERM', listener);
  });

  it('[C8] warns once, with the fix, when nothing listens for SIGTERM', () => {
    new ShutdownHooksCheck().start();
    expect(warn).not.toHaveBeenCalled();
    jest.advanceTimersByTime(3_600_000);
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^Nothing listens for SIGTERM.*app\.enableShutdownHooks\(\) in main\.ts\.$/)],
    ]);
  });

  it('[C8] says nothing when the hooks are enabled, or the app has a listener of its own, after the boot', () => {
    new ShutdownHooksCheck().start();
    process.on('SIGTERM', onSigterm);
    jest.advanceTimersByTime(3_600_000);
    expect(warn).not.toHaveBeenCalled();
  });

  it('[C8] says nothing of an app that is closed meanwhile, nor in a test', () => {
    const check = new ShutdownHooksCheck();
    check.start();
    check.stop();
    process.env['NODE_ENV'] = 'test';
    new ShutdownHooksCheck().start();
    jest.advanceTimersByTime(3_600_000);
    expect(warn).not.toHaveBeenCalled();
  });
});

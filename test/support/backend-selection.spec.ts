import { DEFAULT_BACKENDS, selectBackends, UnknownBackendError } from './backend-selection.mjs';

describe('selectBackends', () => {
  it.each([undefined, '', ' , '])('selects the default when %j asks for none', (value) => {
    expect(selectBackends(value)).toEqual(DEFAULT_BACKENDS);
  });

  it('selects what is named, once and in its own order', () => {
    expect(selectBackends('redis')).toEqual(['redis']);
    expect(selectBackends(' redis, embedded,redis')).toEqual(['embedded', 'redis']);
    expect(selectBackends('postgres')).toEqual(['postgres']);
  });

  it('refuses an unknown name and names the valid ones', () => {
    expect(() => selectBackends('redis,rabbit')).toThrow(UnknownBackendError);
    expect(() => selectBackends('redis,rabbit')).toThrow(/unknown "rabbit"; valid are embedded, redis, postgres/);
  });
});

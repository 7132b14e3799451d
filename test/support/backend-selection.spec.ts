import { BACKEND_NAMES, selectBackends, UnknownBackendError } from './backend-selection.mjs';

describe('selectBackends', () => {
  it.each([undefined, '', ' , '])('selects every backend when %j asks for none', (value) => {
    expect(selectBackends(value)).toEqual(BACKEND_NAMES);
  });

  it('selects what is named, once and in its own order', () => {
    expect(selectBackends('redis')).toEqual(['redis']);
    expect(selectBackends(' redis, embedded,redis')).toEqual(['embedded', 'redis']);
  });

  it('refuses an unknown name and names the valid ones', () => {
    expect(() => selectBackends('redis,rabbit')).toThrow(UnknownBackendError);
    expect(() => selectBackends('redis,rabbit')).toThrow(/unknown "rabbit"; valid are embedded, redis/);
  });
});

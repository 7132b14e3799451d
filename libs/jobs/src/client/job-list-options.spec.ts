import { InvalidArgumentError } from './invalid-argument.error.js';
import { cursorOf, readJobList, sourcesLeft } from './job-list-options.js';

const DECLARED = new Map([
  ['default', {}],
  ['bulk', {}],
  ['jobs-internal', {}],
]);

describe('the options of a list of jobs', () => {
  it.each<[string, unknown]>([
    ['the options', 'failed'],
    ['an option', { status: 'failed' }],
    ['state', { state: 'done' }],
    ['state', { state: [] }],
    ['state', { state: ['failed', 7] }],
    ['task', { task: '' }],
    ['task', { task: 7 }],
    ['tag', { tag: '' }],
    ['tag', { tag: ['a'] }],
    ['queue', { queue: 'undeclared' }],
    ['queue', { queue: 'jobs-internal' }],
    ['limit', { limit: 0 }],
    ['limit', { limit: 101 }],
    ['limit', { limit: '5' }],
    ['cursor', { cursor: 'nonsense' }],
    ['cursor', { cursor: Buffer.from('["waiting",1]').toString('base64url') }],
    ['cursor', { cursor: Buffer.from('["tagged",1,"a"]').toString('base64url') }],
    ['cursor', { cursor: 7 }],
  ])('[A2] refuse what is none of %s: %j', (what, options) => {
    const read = (): unknown => readJobList(options, DECLARED);
    expect(read).toThrow(InvalidArgumentError);
    expect(read).toThrow(what);
  });

  it('[A2] mean all queues but that of the library', () => {
    expect(readJobList({}, DECLARED).queues).toEqual(['default', 'bulk']);
  });

  it('[A2] look only where jobs of those states may be', () => {
    expect(readJobList({ state: 'running' }, DECLARED).sources).toEqual(['active']);
    expect(readJobList({ state: ['retrying', 'succeeded'] }, DECLARED).sources).toEqual(['delayed', 'completed']);
    expect(readJobList({ state: 'running', tag: 'acme' }, DECLARED).sources).toEqual(['tagged']);
  });

  it('[A2] go on where a page has ended, in its set and those that come after it', () => {
    const cursor = cursorOf({ source: 'waiting', at: 7, id: 'default_1' });
    const left = sourcesLeft(readJobList({ state: ['pending', 'blocked', 'running'], cursor }, DECLARED));
    expect(left).toEqual([
      { source: 'waiting', from: { source: 'waiting', at: 7, id: 'default_1' } },
      { source: 'active', from: undefined },
    ]);
  });
});

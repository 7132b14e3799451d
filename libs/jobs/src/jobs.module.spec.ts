import { JobsModule } from './jobs.module.js';
import { InvalidJobsOptionsError } from './options/jobs-options.error.js';

describe('JobsModule', () => {
  const url = 'redis://user:secret@localhost:6379';

  it.each([url, null, 7, [url], new Map(), () => ({})])('refuses %p in the place of its options', (options) => {
    for (const method of ['forRoot', 'forRootAsync'] as const) {
      const make = () => JobsModule[method](options as never);
      expect(make).toThrow(InvalidJobsOptionsError);
      expect(make).toThrow(/option "\(all\)" must be an object like \{ (connection|inject): .*, but is /);
      expect(make).not.toThrow(/secret/);
    }
  });
});

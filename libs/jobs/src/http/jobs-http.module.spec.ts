import { InvalidJobsOptionsError, UnknownJobsOptionError } from '../options/jobs-options.error.js';
import { JobsHttpModule } from './jobs-http.module.js';
import type { JobsHttpOptions } from './jobs-http.options.js';

describe('the options of JobsHttpModule', () => {
  const boot = (options: object): (() => unknown) => {
    return () => JobsHttpModule.forRoot(options as JobsHttpOptions);
  };

  it('[A2] takes none, and those that there are', () => {
    for (const options of [{}, { denied: 404 }, { authorize: () => true, denied: 403 }]) boot(options)();
    JobsHttpModule.forRoot();
  });

  it('[A2] a name that is misspelt does not leave jobs open', () => {
    expect(boot({ authorise: () => false })).toThrow(UnknownJobsOptionError);
    expect(boot({ authorise: () => false })).toThrow('Known here: authorize, denied');
  });

  it.each([{ authorize: true }, { authorize: null }, { denied: 401 }, { denied: '404' }])(
    '[A2] refuses %j',
    (options) => {
      expect(boot(options)).toThrow(InvalidJobsOptionsError);
      expect(boot(options)).toThrow(`JobsHttpModule.${Object.keys(options)[0]}`);
    },
  );
});

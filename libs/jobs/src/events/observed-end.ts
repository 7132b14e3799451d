import type { StoredJob } from '../client/envelope.js';
import type { JobEvent } from './job-event.js';
import type { JobObserver } from './job-observer.js';

/** What listeners are told of the end of a job, for those who only count. @internal */
export function observeEnd(observer: JobObserver, job: StoredJob, end: JobEvent): void {
  switch (end.event) {
    case 'succeeded':
    case 'skipped':
      return observer.ended(job, end.event, end.duration);
    case 'failed':
      return observer.ended(job, 'failed', end.duration, end.error.name);
    case 'cancelled': {
      const isLate = end.reason === 'expired' && end.duration === undefined;
      return observer.ended(job, isLate ? 'expired' : 'cancelled', end.duration);
    }
    default:
  }
}

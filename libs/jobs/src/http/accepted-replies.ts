import { HttpStatus, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AcceptedJob } from './accepted.js';
import { JobUrls } from './job-urls.js';

/**
 * Lets the HTTP adapter answer with an {@link AcceptedJob}. It is done where the adapter replies, because Nest sets the
 * handler's own status (201 for POST) after every interceptor has run, and because a global interceptor would also run
 * for every task.
 *
 * @internal
 */
@Injectable()
export class AcceptedReplies implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly urls: JobUrls,
  ) {}

  onModuleInit(): void {
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    if (!adapter) return;
    const reply = adapter.reply.bind(adapter) as (response: unknown, body: unknown, status?: number) => unknown;
    adapter.reply = (response: unknown, body: unknown, status?: number) => {
      if (!(body instanceof AcceptedJob)) return reply(response, body, status);
      const { id, expected } = body.job;
      const pollUrl = this.urls.statusOf(id);
      const retryAfter = Math.max(1, Math.ceil(expected.delay / 1_000));
      adapter.setHeader(response, 'Location', pollUrl);
      adapter.setHeader(response, 'Retry-After', String(retryAfter));
      return reply(response, { id, state: expected.state, pollUrl }, HttpStatus.ACCEPTED);
    };
  }
}

import { Injectable, RequestMethod } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';

/** Where the endpoints of {@link JobsController} are, under the app's global prefix. @internal */
export const JOBS_PATH = 'jobs';

/**
 * Urls of the job endpoints as clients reach them. The controller is version neutral, so URI versioning adds nothing.
 *
 * @internal
 */
@Injectable()
export class JobUrls {
  constructor(private readonly config: ApplicationConfig) {}

  statusOf(id: string): string {
    const path = `/${JOBS_PATH}/${encodeURIComponent(id)}`;
    const prefix = this.config.getGlobalPrefix().replace(/^\/+|\/+$/g, '');
    return prefix && !this.isExcluded(path) ? `/${prefix}${path}` : path;
  }

  private isExcluded(path: string): boolean {
    const excluded = this.config.getGlobalPrefixOptions().exclude ?? [];
    return excluded.some(
      ({ requestMethod, pathRegex }) =>
        (requestMethod === RequestMethod.ALL || requestMethod === RequestMethod.GET) && pathRegex.test(path),
    );
  }
}

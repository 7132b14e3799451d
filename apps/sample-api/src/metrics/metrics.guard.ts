import { type CanActivate, type ExecutionContext, ForbiddenException, Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import { sendsToken } from '../http/bearer-token.js';

/** Lets in who sends `Authorization: Bearer` with METRICS_TOKEN, or everybody when the metrics are public; else nobody. */
@Injectable()
export class MetricsGuard implements CanActivate {
  constructor(@Inject(ConfigService) private readonly config: EnvironmentConfig) {}

  canActivate(context: ExecutionContext): boolean {
    if (this.config.get('METRICS_PUBLIC', { infer: true })) return true;
    const token = this.config.get('METRICS_TOKEN', { infer: true });
    if (token === undefined) {
      throw new ForbiddenException('This is closed: the service has no METRICS_TOKEN, and METRICS_PUBLIC is not true.');
    }
    return sendsToken(context, 'METRICS_TOKEN', token);
  }
}

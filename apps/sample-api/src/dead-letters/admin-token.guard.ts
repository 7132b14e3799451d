import { type CanActivate, type ExecutionContext, ForbiddenException, Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { EnvironmentConfig } from '../config/jobs-options.js';
import { sendsToken } from '../http/bearer-token.js';

/** Lets in who sends `Authorization: Bearer` with ADMIN_TOKEN; nobody while none is configured. */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  constructor(@Inject(ConfigService) private readonly config: EnvironmentConfig) {}

  canActivate(context: ExecutionContext): boolean {
    const token = this.config.get('ADMIN_TOKEN', { infer: true });
    if (token === undefined) {
      throw new ForbiddenException('This is closed: the service has no ADMIN_TOKEN.');
    }
    return sendsToken(context, 'ADMIN_TOKEN', token);
  }
}

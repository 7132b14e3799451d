import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
  UnauthorizedException,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Request, Response } from 'express';
import type { EnvironmentConfig } from '../config/jobs-options.js';

/** Lets in who sends `Authorization: Bearer` with ADMIN_TOKEN; nobody while none is configured. */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  constructor(@Inject(ConfigService) private readonly config: EnvironmentConfig) {}

  canActivate(context: ExecutionContext): boolean {
    const token = this.config.get('ADMIN_TOKEN', { infer: true });
    if (token === undefined) {
      throw new ForbiddenException('This is closed: the service has no ADMIN_TOKEN.');
    }
    const http = context.switchToHttp();
    const sent = /^Bearer (.+)$/i.exec(http.getRequest<Request>().headers.authorization ?? '')?.[1];
    if (sent !== undefined && isSame(sent, token)) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer');
    throw new UnauthorizedException('Send the admin token: "Authorization: Bearer <ADMIN_TOKEN>".');
  }
}

/** The hashes have one length, which is what timingSafeEqual asks for, and tell nothing of that of the token. */
function isSame(sent: string, expected: string): boolean {
  return timingSafeEqual(hash(sent), hash(expected));
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { type ExecutionContext, UnauthorizedException } from '@nestjs/common';
import type { Request, Response } from 'express';

/** Whether the request has `Authorization: Bearer` with the token that the variable holds; throws when it has not. */
export function sendsToken(context: ExecutionContext, variable: string, token: string): true {
  const http = context.switchToHttp();
  if (hasToken(http.getRequest<Request>(), token)) return true;
  http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer');
  throw new UnauthorizedException(`Send the token: "Authorization: Bearer <${variable}>".`);
}

export function hasToken({ headers }: Request, token: string): boolean {
  const sent = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return sent !== undefined && isSame(sent, token);
}

/** The hashes have one length, which is what timingSafeEqual asks for, and tell nothing of that of the token. */
function isSame(sent: string, expected: string): boolean {
  return timingSafeEqual(hash(sent), hash(expected));
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** What Express and Fastify have in common of a request. @internal */
export interface PlatformRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly query?: unknown;
}

/** What Express and Fastify have in common of a reply. @internal */
export interface PlatformReply {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}

/** @internal */
export function headerOf({ headers }: PlatformRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Node's own request: Fastify's has it inside. @internal */
export function rawRequest(request: unknown): IncomingMessage {
  return (request as { raw?: IncomingMessage }).raw ?? (request as IncomingMessage);
}

/** Node's own response. @internal */
export function rawResponse(reply: unknown): ServerResponse {
  return (reply as { raw?: ServerResponse }).raw ?? (reply as ServerResponse);
}

/** Takes the reply out of the platform's hands, with the headers that were set on it. @internal */
export function takeReply(reply: unknown): { response: ServerResponse; headers: OutgoingHttpHeaders } {
  const fastify = reply as { raw?: ServerResponse; hijack?: () => void; getHeaders?: () => OutgoingHttpHeaders };
  if (!fastify.raw) return { response: reply as ServerResponse, headers: {} };
  const headers = { ...fastify.getHeaders?.() };
  fastify.hijack?.();
  return { response: fastify.raw, headers };
}

/** Whether nobody is there any more to take the response. @internal */
export function isGone(request: unknown, reply: unknown): boolean {
  return rawResponse(reply).destroyed || isClosed(rawRequest(request));
}

/**
 * Calls back when the client has gone, and answers how to stop that. A response that stands in line behind another one of
 * its connection is not told, so the request is listened to as well; that may also be over for other reasons.
 *
 * @internal
 */
export function onceGone(request: unknown, reply: unknown, onGone: () => void): () => void {
  const [asked, response] = [rawRequest(request), rawResponse(reply)];
  const onOver = (): void => {
    if (isClosed(asked)) onGone();
  };
  response.once('close', onGone);
  asked.once('close', onOver);
  return () => {
    response.off('close', onGone);
    asked.off('close', onOver);
  };
}

function isClosed({ socket }: IncomingMessage): boolean {
  return (socket as typeof socket | undefined)?.destroyed ?? true;
}

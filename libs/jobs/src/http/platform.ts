import type { IncomingMessage, ServerResponse } from 'node:http';

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

/** Takes the reply out of the platform's hands, with the headers that were set on it. @internal */
export function takeReply(reply: unknown): { response: ServerResponse; headers: Record<string, string> } {
  const fastify = reply as { raw?: ServerResponse; hijack?: () => void; getHeaders?: () => Record<string, unknown> };
  if (!fastify.raw) return { response: reply as ServerResponse, headers: {} };
  const headers = Object.entries(fastify.getHeaders?.() ?? {}).map(([name, value]) => [name, String(value)] as const);
  fastify.hijack?.();
  return { response: fastify.raw, headers: Object.fromEntries(headers) };
}

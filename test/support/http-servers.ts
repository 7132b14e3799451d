import type { INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { TestingModule } from '@nestjs/testing';
import { backends, type TestBackend } from './backends.js';

export interface HttpServer {
  name: string;
  backend: TestBackend;
  /** An app on this platform, that listens to nothing yet. */
  create: (module: TestingModule) => INestApplication;
}

const fastest = backends.find(({ name }) => name === 'redis') ?? backends[0]!;

/**
 * For `describe.each(httpServers)('... on $name', ...)`: Express on every backend of this run, and Fastify on one. What
 * differs between the two are requests and replies, and these do not depend on the store.
 */
export const httpServers: HttpServer[] = [
  ...backends.map((backend) => ({
    name: backend.name,
    backend,
    create: (module: TestingModule) => module.createNestApplication({ logger: false }),
  })),
  {
    name: `${fastest.name} with Fastify`,
    backend: fastest,
    create: (module) => module.createNestApplication(new FastifyAdapter(), { logger: false }),
  },
];

import { BackendUnavailableError } from 'nestjs-jobs';
import { openBackend } from '../../libs/jobs/src/backend/open-backend.js';
import type { QueueBackend } from '../../libs/jobs/src/backend/queue-backend.js';
import { resolveOptions } from '../../libs/jobs/src/options/resolve-options.js';
import { uniqueNamespace } from '../support/backends.js';
import { eventually } from '../support/eventually.js';
import { Inbox } from '../support/inbox.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { freePort } from '../support/services/free-port.mjs';
import { ownServers, type OwnServer } from '../support/own-servers.js';
import { sized } from '../support/test-form.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** It is looked for in intervals. */
const FOUND_OUT = { timeout: 40_000 };

// `describe.each` refuses an empty table: embedded has no server that could be away.
if (ownServers.length > 0) {
  describe.each(ownServers)('messages of the fleet, $name away', ({ start, url }) => {
    const namespace = uniqueNamespace();
    const cleanUp: (() => Promise<unknown>)[] = [];
    let server: OwnServer;

    beforeAll(async () => {
      server = await start();
    });
    afterEach(async () => {
      for (const end of cleanUp.splice(0).toReversed()) await end();
    });
    afterAll(() => server.stop());

    async function open(port: number): Promise<QueueBackend> {
      const options = resolveOptions({ connection: url(port), namespace, connectTimeout: 500 });
      const backend = await openBackend(options, new MemoryLogger());
      cleanUp.push(() => backend.close(2_000));
      return backend;
    }

    async function proxyTo({ port }: OwnServer): Promise<TcpProxy> {
      const proxy = await TcpProxy.to(port);
      cleanUp.push(() => proxy.close());
      return proxy;
    }

    it('[C9] at boot: publish fails fast, and a subscription takes effect when it comes', async () => {
      const port = await freePort();
      const backend = await open(port);
      const inbox = Inbox.of(backend, 'c');
      await expect(backend.messages.publish('c', 'refused', 300)).rejects.toThrow(BackendUnavailableError);
      const late = await start(port);
      cleanUp.unshift(() => late.stop());
      await inbox.subscription.inEffect;
      await backend.messages.publish('c', 'heard', 30_000);
      await inbox.has('heard');
      expect([inbox.received, inbox.resumed]).toEqual([['heard'], 0]);
    });

    it('[C9] killed and restarted: publish fails fast, and all are heard again, also who subscribed meanwhile', async () => {
      const [one, other] = await Promise.all([open(server.port), open(server.port)]);
      const inboxes = [Inbox.of(one, 'c'), Inbox.of(other, 'c')];
      await Promise.all(inboxes.map(({ subscription }) => subscription.inEffect));
      for (let round = 1; round <= sized(3, 1); round++) {
        await server.kill();
        await expect(one.messages.publish('c', 'refused', 300)).rejects.toThrow(BackendUnavailableError);
        const meanwhile = Inbox.of(other, 'c');
        await server.restart();
        await meanwhile.subscription.inEffect;
        await eventually(() => expect(inboxes.map(({ resumed }) => resumed)).toEqual([round, round]), FOUND_OUT);
        await one.messages.publish('c', round, 30_000);
        for (const inbox of [...inboxes, meanwhile]) await inbox.has(round);
        meanwhile.subscription.unsubscribe();
        expect(meanwhile.received).toEqual([round]);
      }
    });

    it.each([
      ['cut', (proxy: TcpProxy) => proxy.cut()],
      ['dead without a word', (proxy: TcpProxy) => proxy.strand()],
    ])('[C9] a connection %s: messages are heard again by themselves', async (_how, fail) => {
      const proxy = await proxyTo(server);
      const [far, near] = await Promise.all([open(proxy.port), open(server.port)]);
      const inbox = Inbox.of(far, 'c');
      await inbox.subscription.inEffect;
      for (let round = 1; round <= sized(2, 1); round++) {
        fail(proxy);
        await eventually(() => expect(inbox.resumed).toBe(round), FOUND_OUT);
        await near.messages.publish('c', round);
        await inbox.has(round);
      }
    });

    it('[C9] without a word, also on new connections: publish fails in time, and all goes on afterwards', async () => {
      const proxy = await proxyTo(server);
      const [far, near] = await Promise.all([open(proxy.port), open(server.port)]);
      const inbox = Inbox.of(far, 'c');
      await inbox.subscription.inEffect;
      proxy.freeze();
      const refused = Promise.all([1, 2, 3].map((n) => far.messages.publish('c', n, 300)));
      await expect(refused).rejects.toThrow(BackendUnavailableError);
      const meanwhile = Inbox.of(far, 'c');
      proxy.thaw();
      await eventually(() => expect(inbox.resumed).toBe(1), FOUND_OUT);
      await near.messages.publish('c', 'near');
      await Promise.all([inbox.has('near'), meanwhile.has('near')]);
      await far.messages.publish('c', 'far', 30_000);
      await Promise.all([inbox.has('far'), meanwhile.has('far')]);
    });

    it('[C8] without a word while a process closes: it closes all the same', async () => {
      const proxy = await proxyTo(server);
      const far = await open(proxy.port);
      await Inbox.of(far, 'c').subscription.inEffect;
      proxy.freeze();
      Inbox.of(far, 'd');
      await far.close(500);
    });
  });
}

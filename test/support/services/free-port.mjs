import { createServer } from 'node:net';

/** A TCP port of 127.0.0.1 that nobody listens on now. Somebody may take it before you do: retry when binding fails.
 * @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('the operating system gave no TCP port'));
      });
    });
  });
}

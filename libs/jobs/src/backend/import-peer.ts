import { MissingPeerError } from './backend.errors.js';

/**
 * Loads what needs an optional package.
 *
 * @throws {MissingPeerError} when the package is not installed.
 * @internal
 */
export async function importPeer<T>(packageName: string, neededFor: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message = '' } = error as { code?: string; message?: string };
    if (code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${packageName}'`)) {
      throw new MissingPeerError(packageName, neededFor, { cause: error });
    }
    throw error;
  }
}

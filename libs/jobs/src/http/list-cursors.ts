import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { QUEUE_BACKEND } from '../backend/backend.tokens.js';
import type { QueueBackend } from '../backend/queue-backend.js';
import { invalidArgument } from '../client/invalid-argument.error.js';
import { JobsClient } from '../client/jobs-client.js';

const COLLECTION = 'http';
const KEY = 'cursor-key';
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Cursors that tell a client nothing. One names the job at which a page ended, which may be one that the client may not
 * see; and one that a client had made up would show what is in any place. The key is in the store, for the whole fleet.
 *
 * @internal
 */
@Injectable()
export class ListCursors {
  private key: Promise<Buffer> | undefined;

  constructor(private readonly moduleRef: ModuleRef) {}

  async seal(cursor: string): Promise<string> {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, await this.readKey(), nonce, { authTagLength: TAG_BYTES });
    const sealed = Buffer.concat([cipher.update(cursor, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** @throws {@link InvalidArgumentError} */
  async open(sealed: unknown): Promise<string> {
    const bytes = typeof sealed === 'string' ? Buffer.from(sealed, 'base64url') : Buffer.alloc(0);
    if (bytes.length > NONCE_BYTES + TAG_BYTES) {
      const known = this.key;
      const cursor = unseal(bytes, await this.readKey());
      if (cursor !== undefined) return cursor;
      // The store may have been emptied, and have another key by now.
      if (known) {
        this.key = undefined;
        const again = unseal(bytes, await this.readKey());
        if (again !== undefined) return again;
      }
    }
    throw invalidArgument('cursor', 'the cursor of a page before', sealed);
  }

  private readKey(): Promise<Buffer> {
    this.key ??= this.findKey().catch((error: unknown) => {
      this.key = undefined;
      throw error;
    });
    return this.key;
  }

  private async findKey(): Promise<Buffer> {
    const { ledger } = this.moduleRef.get<QueueBackend>(QUEUE_BACKEND, { strict: false });
    const made = randomBytes(KEY_BYTES).toString('base64url');
    const client = this.moduleRef.get(JobsClient, { strict: false });
    const found = await client.reach(() => ledger.putIfAbsent(COLLECTION, KEY, made));
    return Buffer.from((found?.value as string | undefined) ?? made, 'base64url');
  }
}

/** Undefined of what was not sealed with this key. */
function unseal(bytes: Buffer, key: Buffer): string | undefined {
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Receipt } from '../../apps/sample-api/src/payments/payment.payload.js';

/** The charges of a customer, as the sample API's payment provider has written them down. */
export async function chargesOf(customer: string, folder: string): Promise<Receipt[]> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => name.endsWith('.json'));
  const charges = await Promise.all(files.map(async (name) => readFile(join(folder, name), 'utf8')));
  return charges.map((text) => JSON.parse(text) as Receipt).filter((charge) => charge.customer === customer);
}

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A key with a certificate that nobody trusts who is not told to. */
export interface TlsCertificate {
  readonly key: Buffer;
  readonly cert: Buffer;
  /** The certificate, for NODE_EXTRA_CA_CERTS. */
  readonly file: string;
  remove(): Promise<void>;
}

/** Made by `openssl`, as Node cannot make one; `host` is an IP address. */
export async function makeCertificate(host: string): Promise<TlsCertificate> {
  const directory = await mkdtemp(join(tmpdir(), 'tls-certificate-'));
  const [keyFile, file] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=webhook receiver', '-addext', `subjectAltName=IP:${host}`];
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  await promisify(execFile)('openssl', ['req', '-x509', '-days', '2', ...newKey, '-out', file, ...subject]);
  return {
    key: await readFile(keyFile),
    cert: await readFile(file),
    file,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

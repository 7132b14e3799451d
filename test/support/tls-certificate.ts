import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

/** A key with a certificate that nobody trusts who is not told to. */
export interface TlsCertificate {
  readonly key: string;
  readonly cert: string;
  /** The certificate, for NODE_EXTRA_CA_CERTS. */
  readonly file: string;
  remove(): Promise<void>;
}

/** `host` is an IP address. */
export async function makeCertificate(host: string): Promise<TlsCertificate> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'webhook receiver' }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: host }] },
    ],
  });
  const directory = await mkdtemp(join(tmpdir(), 'tls-certificate-'));
  const file = join(directory, 'cert.pem');
  await writeFile(file, cert);
  return { key, cert, file, remove: () => rm(directory, { recursive: true, force: true }) };
}

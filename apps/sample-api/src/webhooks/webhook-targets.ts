import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { callbackify, promisify } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { AddressPolicy } from './address-policy.js';
import { WebhookRefusedError } from './webhook-refused.error.js';
import { WEBHOOK_SETTINGS, type WebhookSettings } from './webhook-settings.js';

/** All addresses of a host name. */
export type HostResolver = (hostname: string) => Promise<LookupAddress[]>;

export const HOST_RESOLVER = Symbol('host resolver');

const lookUp = promisify(lookup);

export const systemResolver: HostResolver = (hostname) => lookUp(hostname, { all: true });

/** Decides where a webhook may go. */
@Injectable()
export class WebhookTargets {
  private readonly addresses: AddressPolicy;

  constructor(
    @Inject(WEBHOOK_SETTINGS) private readonly settings: WebhookSettings,
    @Inject(HOST_RESOLVER) private readonly resolve: HostResolver,
  ) {
    this.addresses = new AddressPolicy(settings.allowedNetworks);
  }

  /**
   * What can be told of a url without a look at DNS.
   *
   * @throws {@link WebhookRefusedError}
   */
  check(text: string): URL {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !['http:', 'https:'].includes(url.protocol)) {
      throw new WebhookRefusedError('URL_INVALID', 'must be an absolute URL that starts with http:// or https://');
    }
    if (url.username !== '' || url.password !== '') {
      throw new WebhookRefusedError('URL_INVALID', 'must not hold a user name or a password');
    }
    this.checkPort(url);
    // Whatever way an address was written (2130706433, 0x7f.1, [::ffff:127.0.0.1]), the URL parser has made it plain.
    const host = hostOf(url);
    if (isIP(host) !== 0 && !this.addresses.allows(host)) throw notPublic();
    return url;
  }

  /**
   * The lookup of a socket: what it answers is what is connected to, so a name cannot change its address after the
   * check. A name with one address that is refused is refused as a whole.
   */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.answer(hostname, (error, addresses) => {
      if (error || options.all) return callback(error, addresses ?? []);
      const [first] = addresses;
      return callback(null, first!.address, first!.family);
    });
  };

  private readonly answer = callbackify((hostname: string) => this.allowedAddresses(hostname));

  private async allowedAddresses(hostname: string): Promise<LookupAddress[]> {
    const addresses = await this.resolve(hostname);
    if (addresses.length === 0) {
      throw Object.assign(new Error(`no address of ${hostname}`), { code: 'ENOTFOUND' });
    }
    if (!addresses.every(({ address }) => this.addresses.allows(address))) throw notPublic();
    return addresses;
  }

  private checkPort(url: URL): void {
    const { ports } = this.settings;
    const usual = url.protocol === 'https:' ? 443 : 80;
    if (ports !== 'any' && !ports.includes(Number(url.port || usual))) {
      throw new WebhookRefusedError('PORT_NOT_ALLOWED', `must have one of these ports: ${ports.join(', ')}`);
    }
  }
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

// Which address it was stays unsaid: it would tell a stranger how the network behind this service looks.
function notPublic(): WebhookRefusedError {
  return new WebhookRefusedError('ADDRESS_NOT_ALLOWED', 'must lead to a public address');
}

import ipaddr from 'ipaddr.js';

type Address = ReturnType<typeof ipaddr.process>;

/** All that is routed in IPv6 is in it; outside are forms like `::7f00:1` that still count as unicast. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** Public by its number, but every machine of Azure finds its host there, with what that knows of it. */
const AZURE_HOST: [Address, number] = ipaddr.parseCIDR('168.63.129.16/32');

/** Decides which addresses may be delivered to: public ones, and those that the operator named. */
export class AddressPolicy {
  private readonly allowed: readonly [Address, number][];

  /** @param allowedNetworks - addresses and CIDR ranges, checked by {@link isNetwork}. */
  constructor(allowedNetworks: readonly string[] = []) {
    this.allowed = allowedNetworks.map(parseNetwork);
  }

  allows(address: string): boolean {
    if (!ipaddr.isValid(address)) return false;
    // An IPv4 address in IPv6's clothes (::ffff:127.0.0.1) is judged as what it is.
    const parsed = ipaddr.process(address);
    return isPublic(parsed) || this.allowed.some((network) => isIn(parsed, network));
  }
}

export function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text) || ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
}

function parseNetwork(text: string): [Address, number] {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || isIn(address, AZURE_HOST)) return false;
  return address.kind() === 'ipv4' || isIn(address, GLOBAL_UNICAST);
}

function isIn(address: Address, [network, bits]: [Address, number]): boolean {
  return network.kind() === address.kind() && address.match(network, bits);
}

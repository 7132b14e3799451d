import { AddressPolicy, isNetwork } from './address-policy.js';

describe('AddressPolicy', () => {
  const policy = new AddressPolicy();

  it.each(['8.8.8.8', '93.184.215.14', '172.32.0.1', '2606:4700:4700::1111', '::ffff:8.8.8.8'])(
    'allows the public address %s',
    (address) => expect(policy.allows(address)).toBe(true),
  );

  it.each([
    ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
    ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
    ['link-local, with the metadata of clouds', '169.254.169.254', 'fe80::1', 'fe80::1%eth0'],
    ['unique-local and site-local', 'fc00::1', 'fd00:ec2::254', 'fec0::1'],
    ['multicast and broadcast', '224.0.0.1', 'ff02::1', '255.255.255.255'],
    ['unspecified', '0.0.0.0', '0.1.2.3', '::'],
    ['shared by carriers', '100.64.0.1'],
    [
      'reserved and for documentation',
      '192.0.0.1',
      '192.0.2.1',
      '198.18.0.1',
      '203.0.113.1',
      '240.0.0.1',
      '2001:db8::1',
    ],
    ['IPv4 in IPv6', '::ffff:127.0.0.1', '::ffff:a00:1', '::127.0.0.1', '::7f00:1', '::ffff:0:127.0.0.1'],
    ['translated to IPv4', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2001::1'],
    ['outside of what is routed', '4000::1', '5f00::1'],
    ['the host of a machine of Azure', '168.63.129.16', '::ffff:168.63.129.16'],
    ['no address', 'localhost', '', '1.2.3.4.5', '::g'],
  ])('refuses %s', (_what, ...addresses) => {
    expect(addresses.filter((address) => policy.allows(address))).toEqual([]);
  });

  it('allows what the operator named, and no more', () => {
    const opened = new AddressPolicy(['10.1.0.0/16', '127.0.0.1', 'fd00::/8']);
    const asked = ['10.1.2.3', '10.2.0.1', '127.0.0.1', '127.0.0.2', '::ffff:127.0.0.1', 'fd12::1', 'fc00::1', '::1'];
    expect(asked.filter((address) => opened.allows(address))).toEqual([
      '10.1.2.3',
      '127.0.0.1',
      '::ffff:127.0.0.1',
      'fd12::1',
    ]);
  });

  it('knows a network from other text', () => {
    const texts = ['10.0.0.0/8', '::1', 'fc00::/7', '127.0.0.1', '127.1', '10.0.0.0/33', 'example.com', ''];
    expect(texts.filter(isNetwork)).toEqual(['10.0.0.0/8', '::1', 'fc00::/7', '127.0.0.1']);
  });
});

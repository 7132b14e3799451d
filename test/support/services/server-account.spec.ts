import { serverAccount } from './server-account.mjs';

describe('serverAccount', () => {
  it('stays who we are unless we are root', () => {
    expect(serverAccount({ ownId: 1000 })).toEqual({});
  });

  it('takes the first account that exists', () => {
    const account = serverAccount({ ownId: 0, accounts: ['no-such-user', 'nobody', 'root'] });
    expect(account).toEqual({ uid: expect.any(Number), gid: expect.any(Number) });
    expect(account.uid).toBeGreaterThan(0);
  });

  it('refuses to go on as root when there is none', () => {
    expect(() => serverAccount({ ownId: 0, accounts: ['no-such-user', 'nor-this-one'] })).toThrow(
      /there is no user no-such-user or nor-this-one/,
    );
  });
});

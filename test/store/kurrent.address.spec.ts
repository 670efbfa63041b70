// Which addresses of an EventStoreDB or KurrentDB are taken, and that a refusal never repeats a password.
import { StoreRefused } from '../../src/store/event-store.js';
import { readKurrentAddress } from '../../src/store/kurrent.address.js';
import { KurrentEventStore } from '../../src/store/kurrent.event-store.js';

const SECRET = 'tiger-7Hq';

describe('The address of a KurrentDB', () => {
  it('hands the client hosts and settings, and keeps user and password for the calls', () => {
    expect(
      readKurrentAddress(`esdb://ana:${SECRET}@db.example:2113?tls=true&keepAliveInterval=20000`),
    ).toEqual({
      connection: 'esdb://db.example:2113?tls=true&keepAliveInterval=20000',
      shown: 'db.example:2113',
      user: 'ana',
      password: SECRET,
      insecure: false,
    });
  });

  it.each([
    ['kurrentdb://h?tls=false', 'esdb://h?tls=false'],
    ['kurrentdb+discover://h/?tls=false', 'esdb+discover://h?tls=false'],
    ['esdb+discover://cluster.example:2113?tls=false', 'esdb+discover://cluster.example:2113?tls=false'],
    ['esdb://a:2111,b:2112,c:2113?tls=false', 'esdb://a:2111,b:2112,c:2113?tls=false'],
    ['esdb://h:2113?TLS=false&tls_verify_cert=true&nodePreference=Leader', 'esdb://h:2113?tls=false'],
  ])('reads %s', (given, connection) => {
    expect(readKurrentAddress(given).connection).toBe(connection);
  });

  it('takes a password with percent-encoded signs', () => {
    expect(readKurrentAddress('esdb://ana:a%40b%3Ac%2F@h').password).toBe('a@b:c/');
  });

  it('names somebody in every call, also where the server knows nobody', () => {
    const { user, password } = readKurrentAddress('esdb://h?tls=false');
    expect([user, password].every((text) => text.length > 0)).toBe(true);
  });

  it.each([
    ['no host', `esdb://ana:${SECRET}@`, 'must read'],
    ['another scheme', `http://ana:${SECRET}@h`, 'must read'],
    ['a port that is none', `esdb://ana:${SECRET}@h:port`, 'must read'],
    ['an @ in the password', `esdb://ana:${SECRET}@${SECRET}@h`, 'percent-encoded'],
    ['a / in the password', `esdb://ana:a/${SECRET}@h`, 'percent-encoded'],
    ['a ? in the password', `esdb://ana:a?${SECRET}@h`, 'percent-encoded'],
    ['a user without a password', `esdb://${SECRET}@h`, 'user:password@'],
    ['a stray percent sign', `esdb://ana:%${SECRET}@h`, 'percent-encoded'],
    ['TLS without a user', 'esdb://h:2113', 'needs user:password@'],
    ['an unknown setting', `esdb://ana:${SECRET}@h?tsl=false`, 'knows no setting tsl'],
    ['a setting without a value', `esdb://ana:${SECRET}@h?tls`, 'key=value'],
    ['certificates unchecked', `esdb://ana:${SECRET}@h?tlsVerifyCert=false`, 'tlsCAFile'],
    ['failures in silence', `esdb://ana:${SECRET}@h?throwOnAppendFailure=false`, 'never look like a success'],
    ['a follower', `esdb://ana:${SECRET}@h?nodePreference=follower`, 'leader'],
    ['a number that is none', `esdb://ana:${SECRET}@h?keepAliveInterval=soon`, 'refused'],
    ['a certificate that is not there', `esdb://ana:${SECRET}@h?tlsCAFile=/nowhere/ca.pem`, 'certificate'],
  ])('refuses %s in one line, without the password', async (_, address, line) => {
    const error = await KurrentEventStore.open(address).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StoreRefused);
    const { message } = error as StoreRefused;
    expect(message).toContain(line);
    expect(message).not.toContain('\n');
    expect(message).not.toContain(SECRET);
  });

  it('refuses a server that is not there, in one line that names its host', async () => {
    const address = `esdb://ana:${SECRET}@127.0.0.1:1?tls=false`;
    const error = await KurrentEventStore.open(address, { openMs: 100 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StoreRefused);
    expect((error as StoreRefused).message).toMatch(
      /^The event store at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/,
    );
    expect((error as StoreRefused).message).not.toContain('\n');
  });
});

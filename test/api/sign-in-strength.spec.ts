// How strongly people have to have shown who they are: an operator who asks for more than one factor gets that or
// nobody, and may leave no other way in than the identity provider.
import type { SessionsAnswer } from '../../src/api/session.dto.js';
import { Browser } from '../support/browser.js';
import { good, Http, problemOf, refused } from '../support/http.js';
import { CLIENT_ID, CLIENT_SECRET, freePort, IdentityProvider } from '../support/identity-provider.js';
import { ADMIN_KEY, ServerProcess, serversOfSuite } from '../support/server-process.js';
import { until } from '../support/spec.js';

const suite = serversOfSuite();
let provider: IdentityProvider;
let server: ServerProcess;

beforeAll(async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  provider = await IdentityProvider.start(`${url}/auth/oidc/callback`, { ada: { name: 'Ada' } });
  provider.next = 'ada';
  const settings = {
    PORT: String(port),
    SWITCHYARD_PUBLIC_URL: url,
    SWITCHYARD_OIDC_ISSUER: provider.issuer,
    SWITCHYARD_OIDC_CLIENT_ID: CLIENT_ID,
    SWITCHYARD_OIDC_CLIENT_SECRET: CLIENT_SECRET,
    SWITCHYARD_OIDC_ACR_VALUES: 'two-factors smart-card',
    SWITCHYARD_OIDC_ROLES: '[{"claim": "sub", "value": "ada", "grants": [{"role": "viewer"}]}]',
    SWITCHYARD_KEY_SIGN_IN: 'off',
  };
  server = suite.kept(await ServerProcess.start(suite.newFolder(), settings));
});
afterAll(() => provider.goAway());

async function signIn(acr: string | undefined) {
  provider.acr = acr;
  const browser = new Browser();
  const isWayBack = (url: string) => url.startsWith(`${server.url}/auth/oidc/callback`);
  const away = await browser.go(`${server.url}/auth/oidc/login`, (url) => !url.startsWith(server.url));
  const back = await browser.goFromElsewhere(away.url, isWayBack);
  const visit = await browser.goFromElsewhere(back.url, (url) => !isWayBack(url));
  return { browser, asked: new URL(away.url).searchParams.get('acr_values'), visit };
}

describe('A provider that is asked for more than one factor', () => {
  it.each(['two-factors', 'smart-card'])('lets in whoever has shown as much: %s', async (acr) => {
    const { browser, asked, visit } = await signIn(acr);
    expect([asked, visit.status]).toEqual(['two-factors smart-card', 303]);
    const { items } = await good(browser.fetch<SessionsAnswer>(`${server.url}/api/v1/sessions`));
    expect(items.filter(({ isThis }) => isThis)).toHaveLength(1);
  });

  it.each(['password', undefined])('lets in nobody who has shown less: %s', async (acr) => {
    const { browser, visit } = await signIn(acr);
    expect(problemOf(visit)).toMatchObject({ code: 'sign-in-failed', status: 400 });
    expect(browser.cookieNamed('switchyard')).toBeUndefined();
    await until(() => server.stderr.includes('the sign-in was none of SWITCHYARD_OIDC_ACR_VALUES'));
  });
});

describe('Where no key signs in', () => {
  it('one opens no session, and works for itself as ever', async () => {
    const url = `${server.url}/api/v1/session`;
    for (const key of [ADMIN_KEY, 'nobody-has-this-key']) {
      const answer = await new Browser().fetch(url, { method: 'POST', body: { key } });
      expect(problemOf(answer)).toMatchObject({ code: 'forbidden', status: 403 });
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    await good(new Http(server.url, ADMIN_KEY).get('/me'));
    await refused(new Http(server.url, undefined).get('/me'), 401, 'unauthorized');
  });
});

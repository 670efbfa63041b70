// How people sign in, as the operator sets it: everything or nothing of a provider, and no secret in what is said.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigRefused, readConfig } from '../src/config.js';
import { temporaryFolder } from './support/server-process.js';

const RULES = [
  { claim: 'groups', value: 'ops', workspace: 'default', grants: [{ role: 'admin' }] },
  { claim: 'a.b', value: 'x', grants: [{ role: 'viewer', projects: ['shop'], environments: ['staging'] }] },
];
const OIDC = {
  SWITCHYARD_PUBLIC_URL: 'https://switchyard.example:8443',
  SWITCHYARD_OIDC_ISSUER: 'https://login.example/realms/main',
  SWITCHYARD_OIDC_CLIENT_ID: 'switchyard',
  SWITCHYARD_OIDC_CLIENT_SECRET: 'the-secret-of-the-client',
  SWITCHYARD_OIDC_ROLES: JSON.stringify(RULES),
};

function problemsOf(environment: Record<string, string | undefined>): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigRefused) return error.problems;
    throw error;
  }
}

describe('The settings of sign-in', () => {
  it('take a provider with its rules', () => {
    expect(readConfig(OIDC).signIn).toEqual({
      sessionMs: 43_200_000,
      sessionIdleMs: 7_200_000,
      takesKeys: true,
      publicOrigin: 'https://switchyard.example:8443',
      oidc: {
        publicOrigin: 'https://switchyard.example:8443',
        issuer: 'https://login.example/realms/main',
        ...{ clientId: 'switchyard', clientSecret: 'the-secret-of-the-client' },
        scopes: 'openid profile email',
        acrValues: [],
        rules: RULES,
      },
    });
    expect(readConfig({}).signIn.oidc).toBeUndefined();
    const strong = { ...OIDC, SWITCHYARD_OIDC_ACR_VALUES: 'two-factors  smart-card ' };
    expect(readConfig(strong).signIn.oidc?.acrValues).toEqual(['two-factors', 'smart-card']);
    for (const issuer of ['http://localhost:9000', 'http://127.0.0.1:9000', 'http://[::1]:9000/x']) {
      expect(readConfig({ ...OIDC, SWITCHYARD_OIDC_ISSUER: issuer }).signIn.oidc?.issuer).toBe(issuer);
    }
  });

  it('take the client secret from a file', () => {
    const folder = temporaryFolder();
    const path = join(folder.path, 'secret');
    writeFileSync(path, 'from-a-file\n');
    const { SWITCHYARD_OIDC_CLIENT_SECRET: _, ...others } = OIDC;
    const config = readConfig({ ...others, SWITCHYARD_OIDC_CLIENT_SECRET_FILE: path });
    expect(config.signIn.oidc?.clientSecret).toBe('from-a-file');
    expect(problemsOf({ ...OIDC, SWITCHYARD_OIDC_CLIENT_SECRET_FILE: path })).toHaveLength(1);
    writeFileSync(path, '\n');
    expect(problemsOf({ ...others, SWITCHYARD_OIDC_CLIENT_SECRET_FILE: path })).toHaveLength(1);
    folder.remove();
    expect(problemsOf({ ...others, SWITCHYARD_OIDC_CLIENT_SECRET_FILE: path })).toEqual([
      `SWITCHYARD_OIDC_CLIENT_SECRET_FILE: "${path}" cannot be read (ENOENT)`,
    ]);
  });

  it.each([
    ...['SWITCHYARD_PUBLIC_URL', 'SWITCHYARD_OIDC_CLIENT_ID'],
    ...['SWITCHYARD_OIDC_CLIENT_SECRET', 'SWITCHYARD_OIDC_ROLES'],
  ])('say what is missing beside an issuer: %s', (name) => {
    expect(problemsOf({ ...OIDC, [name]: undefined })).toEqual([
      `SWITCHYARD_OIDC_ISSUER needs ${name} beside it`,
    ]);
  });

  it('say that the rest means nothing without an issuer', () => {
    const problems = problemsOf({ ...OIDC, SWITCHYARD_OIDC_ISSUER: undefined });
    expect(problems).toHaveLength(3);
    for (const problem of problems) expect(problem).toContain('means nothing without SWITCHYARD_OIDC_ISSUER');
  });

  it.each([
    ['SWITCHYARD_KEY_SIGN_IN', ['On', 'no', '0']],
    ['SWITCHYARD_SESSION_IDLE_MINUTES', ['0', '-1', '1.5', '43201', 'hour']],
    ['SWITCHYARD_SESSION_HOURS', ['0', '-1', '1.5', '721', 'day']],
    [
      'SWITCHYARD_PUBLIC_URL',
      ['switchyard.example', 'ftp://a', 'https://a/path', 'https://u:p@a', 'https://a/?x'],
    ],
    [
      'SWITCHYARD_OIDC_ISSUER',
      ['login.example', 'http://login.example', 'http://127.evil.example', 'file:///x'],
    ],
    ['SWITCHYARD_OIDC_SCOPES', ['profile email', 'openidx']],
    [
      'SWITCHYARD_OIDC_ROLES',
      [
        ...['{', '{}', '[1]', '[{}]'],
        ...[{ claim: 'a' }, { claim: 'a', value: 'b', grants: [] }, { ...RULES[0], more: 1 }].map(listed),
        ...[
          { ...RULES[0], claim: '' },
          { ...RULES[0], workspace: 1 },
        ].map(listed),
        ...[{ role: 'king' }, { role: 'viewer', projects: [] }, { role: 'viewer', environments: 'a' }].map(
          granted,
        ),
        ...[{ role: 'viewer', project: ['shop'] }, { role: 'viewer', projects: [1] }, 'viewer'].map(granted),
      ],
    ],
  ] as const)('refuse a bad %s in one line', (name, values) => {
    for (const value of values) {
      const problems = problemsOf({ ...OIDC, [name]: value });
      expect({ value, count: problems.length, starts: problems[0]?.startsWith(name) }).toEqual({
        ...{ value, count: 1, starts: true },
      });
      expect(problems.join()).not.toContain('the-secret');
    }
  });
});

function listed(rule: object): string {
  return JSON.stringify([rule]);
}

function granted(grant: unknown): string {
  return listed({ claim: 'a', value: 'b', grants: [grant] });
}

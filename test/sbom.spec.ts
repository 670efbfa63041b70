// The bill of materials names everything that is installed: what npm leaves out of it nobody would look for.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

interface Component {
  readonly name: string;
  readonly version: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly unknown[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

interface Bill {
  readonly bomFormat: string;
  readonly components: readonly Component[];
}

describe('The bill of materials', () => {
  let bill: Bill;
  const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
  const { packages } = read('package-lock.json') as {
    packages: Readonly<Record<string, { version: string }>>;
  };
  const installedAt = (path: string) =>
    `${path.replace(/^.*node_modules\//, '')}@${packages[path]?.version ?? 'none'}`;
  const isDev = ({ properties = [] }: Component) =>
    properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');
  const idOf = ({ name, version }: Component) => `${name}@${version}`;

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], {
      maxBuffer: 64 * 1024 * 1024,
    });
    bill = JSON.parse(stdout) as Bill;
  }, 60_000);

  it('is CycloneDX and has every package of the lockfile, each with its hash, and with a licence where it runs', () => {
    expect(bill.bomFormat).toBe('CycloneDX');
    const named = new Set(bill.components.map(idOf));
    const installed = Object.keys(packages).filter((path) => path !== '');
    expect(installed.length).toBeGreaterThan(300);
    expect(installed.map(installedAt).filter((id) => !named.has(id))).toEqual([]);
    expect(bill.components.filter(({ hashes = [] }) => hashes.length === 0).map(idOf)).toEqual([]);
    const unlicensed = bill.components.filter((one) => !isDev(one) && (one.licenses ?? []).length === 0);
    expect(unlicensed.map(idOf)).toEqual([]);
  });

  it('marks what only building and testing needs, and nothing that runs', () => {
    const { dependencies = {}, devDependencies = {} } = read('package.json') as Record<string, object>;
    const marked = new Set(bill.components.filter(isDev).map(idOf));
    const installed = (names: object) =>
      Object.keys(names).map((name) => installedAt(`node_modules/${name}`));
    expect(installed(dependencies).filter((id) => marked.has(id))).toEqual([]);
    expect(installed(devDependencies).filter((id) => marked.has(id)).length).toBeGreaterThan(10);
  });
});

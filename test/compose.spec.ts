// docker-compose.yml and Dockerfile cannot be run wherever the tests run, so they are read: who can reach what, what
// each service may do, and whether each name and address in them is one that is understood where it ends up.
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { readConfig } from '../src/config.js';
import { readKurrentAddress } from '../src/store/kurrent.address.js';

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly networks?: unknown;
  readonly read_only?: boolean;
  readonly tmpfs?: string;
  readonly init?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly restart?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const text = readFileSync('docker-compose.yml', 'utf8');
const { services, volumes } = parse(text, { merge: true }) as Compose;
const all = Object.entries(services);
const ours = all.filter(([, { build }]) => build !== undefined);
const nodes = all.filter(([name]) => /^kurrentdb-\d$/.test(name));
const dockerfile = readFileSync('Dockerfile', 'utf8');

/** From the samples and the documentation of the servers; a name that is misspelt would silently not hold. */
const KNOWN_SETTINGS = new Set([
  'POSTGRES_USER',
  'POSTGRES_DB',
  'POSTGRES_PASSWORD',
  'POSTGRES_INITDB_ARGS',
  ...[
    'TELEMETRY_OPTOUT',
    'CLUSTER_SIZE',
    'INSECURE',
    'NODE_PORT',
    'DISCOVER_VIA_DNS',
    'TRUSTED_ROOT_CERTIFICATES_PATH',
    'CERTIFICATE_FILE',
    'CERTIFICATE_PRIVATE_KEY_FILE',
    'REPLICATION_IP',
    'GOSSIP_SEED',
    'ADVERTISE_HOST_TO_CLIENT_AS',
    'ADVERTISE_NODE_PORT_TO_CLIENT_AS',
    'DEFAULT_ADMIN_PASSWORD',
  ].map((name) => `KURRENTDB_${name}`),
]);

/** With what stands after :- in the place of each variable, as where nobody has set any. */
function byDefault(value: string): string {
  return value.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
}

describe('docker-compose.yml', () => {
  it('has the four profiles, and each service in one of them', () => {
    expect(all.map(([, { profiles }]) => profiles?.length)).toEqual(all.map(() => 1));
    expect([...new Set(all.flatMap(([, { profiles }]) => profiles))].sort()).toEqual([
      'kurrentdb',
      'kurrentdb-cluster',
      'postgres',
      'sqlite',
    ]);
    expect(readFileSync('.env', 'utf8')).toMatch(/^COMPOSE_PROFILES=sqlite$/m);
  });

  it('publishes on the loopback address alone, and no port twice in a profile', () => {
    const ports = all.flatMap(([, service]) => (service.ports ?? []).map((port) => ({ port, ...service })));
    expect(ports.map(({ port }) => port).filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    const places = ports.map(({ port, profiles }) => `${profiles?.[0]} ${byDefault(port)}`);
    expect(new Set(places).size).toBe(places.length);
    expect(ports).toHaveLength(4 + 1 + 1 + 3);
  });

  it('looks after the health of every service that is to stay, and waits for it', () => {
    for (const [, { restart, healthcheck, depends_on: needs = {} }] of all) {
      expect(healthcheck?.test[0]).toBe(restart === 'no' ? undefined : 'CMD');
      for (const [needed, { condition }] of Object.entries(needs)) {
        const ends = services[needed]?.restart === 'no';
        expect(condition).toBe(ends ? 'service_completed_successfully' : 'service_healthy');
      }
    }
    expect(ours.flatMap(([, { depends_on: needs = {} }]) => Object.keys(needs))).toEqual([
      'postgres',
      'kurrentdb',
      ...nodes.map(([name]) => name),
    ]);
  });

  it('gives our own service no rights, and nothing to write to but its volume', () => {
    expect(ours).toHaveLength(4);
    for (const [, service] of ours) {
      expect(service).toMatchObject({ read_only: true, tmpfs: '/tmp', init: true, cap_drop: ['ALL'] });
      expect(service.volumes?.filter((volume) => !volume.endsWith(':ro'))).toEqual([
        expect.stringMatching(/^[a-z-]+:\/data$/),
      ]);
    }
    for (const [, { security_opt: options }] of all) expect(options).toEqual(['no-new-privileges:true']);
  });

  it('keeps what each service holds in a volume of its own', () => {
    const used = all.flatMap(([, service]) =>
      (service.volumes ?? []).filter((volume) => !volume.endsWith(':ro')),
    );
    const names = used.map((volume) => volume.split(':')[0] ?? '');
    expect(names.every((name) => name in volumes)).toBe(true);
    expect([...names].sort()).toEqual(Object.keys(volumes).sort());
  });

  it('names every image with its version, except our own, which is built here', () => {
    const images = all.filter(([, { build }]) => build === undefined).map(([, { image }]) => image);
    for (const image of images) expect(image).toMatch(/^[a-z/-]+:\d[\w.-]*$/);
  });

  it('knows every setting that it makes, reports nothing home, and asks for no variable to be set', () => {
    const made = all.flatMap(([name, { environment = {} }]) =>
      name.startsWith('switchyard') ? [] : Object.keys(environment),
    );
    expect(made.filter((name) => !KNOWN_SETTINGS.has(name))).toEqual([]);
    const kurrent = all.filter(([, { image }]) => image?.includes('kurrentdb'));
    expect(kurrent).toHaveLength(4);
    for (const [, { environment }] of kurrent) {
      expect(environment).toMatchObject({ KURRENTDB_TELEMETRY_OPTOUT: 'true' });
    }
    // It would be asked for in every profile, whichever is started.
    expect(text).not.toMatch(/\$\{\w+:?\?/);
  });

  it('gives our own service settings that it accepts', () => {
    const settings = ours.map(([, { environment = {} }]) =>
      Object.entries(environment).flatMap(([name, value]): [string, string][] =>
        value === null ? [] : [[name, byDefault(value)]],
      ),
    );
    const stores = settings.map((entries) => readConfig(Object.fromEntries(entries)).eventStore);
    expect(stores.map(({ kind }) => kind)).toEqual(['sqlite', 'postgres', 'kurrentdb', 'kurrentdb']);
    const [, postgres, single, cluster] = stores.map((store) => ('url' in store ? store.url : ''));
    expect(new URL(postgres ?? '')).toMatchObject({ hostname: 'postgres', pathname: '/switchyard' });
    expect(readKurrentAddress(single ?? '')).toMatchObject({ shown: 'kurrentdb:2113', insecure: true });
    const placesOfNodes = nodes.map(
      ([name, { environment }]) => `${name}:${environment?.['KURRENTDB_NODE_PORT']}`,
    );
    expect(readKurrentAddress(cluster ?? '')).toMatchObject({
      shown: placesOfNodes.join(','),
      insecure: false,
      user: 'admin',
      connection: expect.stringContaining('tlsCAFile=/authority/ca.crt'),
    });
  });

  it('makes a cluster of three in which each node seeks the two others, over TLS', () => {
    expect(nodes.map(([name]) => name)).toEqual(['kurrentdb-1', 'kurrentdb-2', 'kurrentdb-3']);
    const seats = nodes.map(([, { environment = {} }]) => {
      return `${environment['KURRENTDB_REPLICATION_IP']}:${environment['KURRENTDB_NODE_PORT']}`;
    });
    expect(new Set(seats).size).toBe(3);
    for (const [i, [name, { environment = {}, ports, networks, healthcheck }]] of nodes.entries()) {
      const port = environment['KURRENTDB_NODE_PORT'] ?? '';
      expect(environment).toMatchObject({
        KURRENTDB_CLUSTER_SIZE: '3',
        KURRENTDB_GOSSIP_SEED: seats.filter((_, other) => other !== i).join(','),
        KURRENTDB_ADVERTISE_HOST_TO_CLIENT_AS: name,
        KURRENTDB_ADVERTISE_NODE_PORT_TO_CLIENT_AS: port,
        KURRENTDB_CERTIFICATE_FILE: `/certs/node${i + 1}/node.crt`,
        KURRENTDB_CERTIFICATE_PRIVATE_KEY_FILE: `/certs/node${i + 1}/node.key`,
      });
      expect(environment).not.toHaveProperty('KURRENTDB_INSECURE');
      expect(ports).toEqual([`127.0.0.1:${port}:${port}`]);
      expect(networks).toEqual({ cluster: { ipv4_address: environment['KURRENTDB_REPLICATION_IP'] } });
      expect(healthcheck?.test.at(-1)).toBe(`https://localhost:${port}/health/live`);
    }
  });
});

describe('the Dockerfile', () => {
  it('ends as an ordinary user, with a version named for every base', () => {
    expect(dockerfile.match(/^USER .*$/gm)).toEqual(['USER node']);
    expect(dockerfile.indexOf('USER node')).toBeLessThan(dockerfile.indexOf('ENTRYPOINT'));
    expect(dockerfile.match(/^FROM \S+/gm)).toEqual(['FROM node:24-bookworm', 'FROM node:24-bookworm-slim']);
  });

  it('copies nothing but what .dockerignore lets in, and all of that is there', () => {
    const letIn =
      readFileSync('.dockerignore', 'utf8')
        .match(/^!.+$/gm)
        ?.map((line) => line.slice(1)) ?? [];
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from = '']) =>
      from.split(' '),
    );
    expect([...copied].sort()).toEqual([...letIn].sort());
    expect(copied.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('sets nothing that the server refuses', () => {
    const settings = /^ENV (.+)$/m
      .exec(dockerfile)?.[1]
      ?.split(' ')
      .map((pair) => pair.split('='));
    const { host, port, dataFolder } = readConfig(
      Object.fromEntries(settings ?? []) as Record<string, string>,
    );
    expect({ host, port, dataFolder }).toEqual({ host: '0.0.0.0', port: 3000, dataFolder: '/data' });
  });
});

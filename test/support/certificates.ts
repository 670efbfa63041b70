// Certificates for tests, made by the program `openssl` of the machine: an authority, and what it signs.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why the suites that need certificates are skipped; empty when they run. */
export const noOpenssl = canRun() ? '' : 'this machine has no openssl';

if (noOpenssl !== '') {
  process.stderr.write(
    'NO OPENSSL: no certificates can be made here, so the tests that need them are SKIPPED\n',
  );
}

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'switchyard-certificates-'));
  readonly cert = join(this.folder, 'ca.crt');
  private readonly key = join(this.folder, 'ca.key');
  private made = 0;

  constructor() {
    // A server that runs as somebody else reads from here.
    chmodSync(this.folder, 0o755);
    const settings = ['-days', '2', '-subj', '/CN=An authority for tests', ...NEW_KEY];
    openssl('req', '-x509', ...settings, '-keyout', this.key, '-out', this.cert);
  }

  /** For a server at 127.0.0.1, and for a client whose role in PostgreSQL has this name. */
  issue(name: string): Certificate {
    this.made += 1;
    const file = (ending: string) => join(this.folder, `${this.made}.${ending}`);
    const [cert, key, request, extensions] = [file('crt'), file('key'), file('csr'), file('ext')];
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1\n');
    openssl('req', '-new', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
    const signer = ['-CA', this.cert, '-CAkey', this.key, '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', cert);
    return { cert, key };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const NEW_KEY = ['-newkey', 'rsa:2048', '-nodes'];

function openssl(...parts: string[]): void {
  execFileSync('openssl', parts, { stdio: 'pipe' });
}

function canRun(): boolean {
  try {
    openssl('version');
    return true;
  } catch {
    return false;
  }
}

// Words that occur nowhere else, one for each place that a secret could be put into, and a search that finds them in
// any bytes, however they were written there.
import { createHash, randomBytes } from 'node:crypto';

export class Canaries {
  private readonly words = new Map<string, string>();

  /** The word of an input: the same one each time. */
  of(input: string): string {
    const known = this.words.get(input) ?? `canary${randomBytes(14).toString('hex')}`;
    this.words.set(input, known);
    return known;
  }

  /** A secret that is not of this making counts as one too. */
  take(input: string, secret: string): void {
    this.words.set(input, secret);
  }

  get inputs(): string[] {
    return [...this.words.keys()].sort();
  }

  /** In which of the artefacts the word of an input is, as it is or disguised. */
  whereIs(input: string, artefacts: ReadonlyMap<string, Buffer>): string[] {
    return holding(formsOf(this.of(input)), artefacts);
  }

  /** In which of them its SHA-256 is, in any writing, which may be disguised in turn. */
  whereIsHashOf(input: string, artefacts: ReadonlyMap<string, Buffer>): string[] {
    const hash = createHash('sha256').update(this.of(input)).digest();
    const written = (['hex', 'base64', 'base64url'] as const).map((encoding) => hash.toString(encoding));
    return holding([hash, ...written.flatMap(formsOf)], artefacts);
  }
}

function holding(forms: readonly Buffer[], artefacts: ReadonlyMap<string, Buffer>): string[] {
  const found = [...artefacts].filter(([, bytes]) => forms.some((form) => bytes.includes(form)));
  return found.map(([name]) => name).sort();
}

function formsOf(word: string): Buffer[] {
  const bytes = Buffer.from(word);
  const percent = [...bytes].map((byte) => `%${byte.toString(16)}`).join('');
  const more = [percent, percent.toUpperCase(), JSON.stringify(word).slice(1, -1), word.toUpperCase()];
  return [bytes, Buffer.from(word, 'utf16le'), ...textForms(bytes), ...more.map((text) => Buffer.from(text))];
}

function textForms(bytes: Buffer): Buffer[] {
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].flatMap((offset) => {
    // In the middle of something longer; what mixes with the neighbours at either end is left off.
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const own = text.slice(offset === 0 ? 0 : offset + 1, -1);
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [hex, hex.toUpperCase(), ...base64].map((text) => Buffer.from(text));
}

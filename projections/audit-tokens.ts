// What entries of the audit trail are found by: the words of their text, and a token for everything that they are
// about. All of it goes into one inverted index, where a dot or a tilde tells the tokens of things from words.

/** How FTS5 has to cut the tokens: at spaces alone. */
export const TOKENIZER = `content='', detail=none, columnsize=0, tokenize="ascii tokenchars './~-'"`;

const ONLY_ASCII = /^[\0-\x7f]*$/;

/** The words of a text, without case and accents, separated by single spaces. */
export function wordsOf(text: string): string {
  if (ONLY_ASCII.test(text)) {
    return text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, ' ')
      .trim();
  }
  const plain = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .replace(/\p{M}+/gu, '');
  return plain.replace(/[^\p{L}\p{N}]+/gu, ' ').trim();
}

/** Of a workspace, project, environment, flow or type, by its number in the trail. */
export function thingToken(nr: number): string {
  return `.${nr}`;
}

export function versionToken(flowNr: number, number: number): string {
  return `.${flowNr}.${number}`;
}

/** Who did it; the same thing may be what it was done to. */
export function actorToken(nr: number): string {
  return `.by.${nr}`;
}

/** Of an environment that an entry names without being about it. */
export function alsoNamesToken(nr: number): string {
  return `.of.${nr}`;
}

export const SYSTEM_TOKEN = '.system';

/** Of what no entry is about. */
export const NO_TOKEN = '.none';

/** The index folds case and cuts at punctuation, which an id may have. */
export function correlationToken(id: string): string {
  return `~${id.replace(/[^a-z0-9-]/gu, (character) => `~${(character.codePointAt(0) ?? 0).toString(16)}~`)}`;
}

/** The same tokens of one window, or of one workspace: those of another are not even looked at. */
export function tokensIn(place: number, tokens: string): string {
  return `${place}/${tokens.replaceAll(' ', ` ${place}/`)}`;
}

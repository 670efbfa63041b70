// What `npm run torture` asks of a rig: how it is bounded, what it tells in the end, and how a fault is found again.

/** One part of a run. The same seed does the same again, as far as clocks and kills can be repeated. */
export interface Part {
  readonly seed: number;
  readonly count: number;
  /** By `performance.now()`: nothing new is begun after it. */
  readonly until: number;
}

export interface Outcome {
  /** How many of its units were done. */
  readonly count: number;
  /** What else it did, by what it is called in the line that is printed; those of all parts are added up. */
  readonly figures: Readonly<Record<string, number>>;
  /** The same, but of all parts the highest counts. */
  readonly highest?: Readonly<Record<string, number>>;
  readonly faults: readonly Fault[];
}

export interface Fault {
  readonly what: string;
  /** The part that shows it alone, where that is less than the part in which it was found. */
  readonly again?: { readonly seed: number; readonly count: number };
}

export interface Rig {
  readonly about: string;
  /** What is counted, in the plural. */
  readonly unit: string;
  /** How many are done unless the caller says otherwise, and how many the product is held to. */
  readonly usual: number;
  readonly full: number;
  /** A run is made of parts of this size, on new data each, with seeds one after another. */
  readonly part: number;
  /** Each of its units has a seed of its own, so that a part uses up as many as it has. */
  readonly seedsEach?: true;
  /** Why it cannot run on this machine; empty when it can. */
  readonly missing: string;
  run(part: Part): Promise<Outcome>;
}

/** Faults that are said in words alone, without repeating a whole log. */
export function faultsFrom(words: readonly string[]): Fault[] {
  return words.slice(0, FAULTS_SHOWN).map((what) => ({ what: what.slice(0, CHARACTERS_SHOWN) }));
}

const FAULTS_SHOWN = 5;
const CHARACTERS_SHOWN = 4_000;

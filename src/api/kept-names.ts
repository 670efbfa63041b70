// Answers to commands are kept in the log to be given again, and what people are called must never get there: names
// are taken out before an answer is kept, and joined to it again when it is given.
import type { ActorAnswer } from './answers.js';

const PERSON = '"type":"person"';

interface Answer {
  readonly actor?: ActorAnswer;
  readonly release?: { readonly actor?: ActorAnswer } | null;
}

export function withoutNames(answer: string): string {
  return withNames(answer, () => undefined);
}

/** Only actors are looked at: what somebody wrote into a version is left alone. */
export function withNames(answer: string, nameOf: (personId: string) => string | undefined): string {
  if (!answer.includes(PERSON)) return answer;
  const parsed = JSON.parse(answer) as Answer;
  for (const actor of [parsed.actor, parsed.release?.actor]) {
    if (actor?.type === 'person') actor.name = nameOf(actor.id) ?? null;
  }
  return JSON.stringify(parsed);
}

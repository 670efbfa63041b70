// What changed between two versions of a flow: as a JSON Patch (RFC 6902) for programs, as a unified diff for people.
import canonicalize from 'canonicalize';
import { createTwoFilesPatch } from 'diff';
import { createPatch, type Operation } from 'rfc6902';
import type { VoidableDiff } from 'rfc6902/diff.js';
import type { Version } from '../../projections/versions.js';
import type { VersionDiffAnswer } from './answers.js';

/** Comparing two lists costs the product of their lengths, so longer ones are replaced as a whole. */
const LIST_PAIRS_MAX = 250_000;
/** Lines that differ before the text form gives up on finding the shortest way and shows all as replaced. */
const EDITS_MAX = 2_000;

export function diffOfVersions(slug: string, from: Version, to: Version): VersionDiffAnswer {
  const [a, b] = [from, to].map(({ content }) => JSON.parse(content) as unknown);
  return {
    from: { versionId: from.id, number: from.number, digest: from.digest },
    to: { versionId: to.id, number: to.number, digest: to.digest },
    patch: createPatch(a, b, replaceLongLists),
    text: textDiff(slug, from, to),
  };
}

const replaceLongLists: VoidableDiff = (input, output, pointer): Operation[] | undefined => {
  const long = Array.isArray(input) && Array.isArray(output) && input.length * output.length > LIST_PAIRS_MAX;
  if (!long) return undefined;
  const same = JSON.stringify(input) === JSON.stringify(output);
  return same ? [] : [{ op: 'replace', path: pointer.toString(), value: output }];
};

function textDiff(slug: string, from: Version, to: Version): string {
  const [before, after] = [pretty(from), pretty(to)];
  const names = [`${slug} v${from.number}`, `${slug} v${to.number}`] as const;
  const options = { context: 3, maxEditLength: EDITS_MAX };
  const text = createTwoFilesPatch(...names, before, after, '', '', options);
  return text ?? `--- ${names[0]}\n+++ ${names[1]}\n${prefixed('-', before)}${prefixed('+', after)}`;
}

/** Canonical JSON has its keys in one order, so that only real changes show. */
function pretty({ content }: Version): string {
  return `${JSON.stringify(JSON.parse(canonicalize(JSON.parse(content)) ?? 'null'), null, 2)}\n`;
}

function prefixed(sign: string, text: string): string {
  return text.replace(/^(?=.)/gm, sign);
}

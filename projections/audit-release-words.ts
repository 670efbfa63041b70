// Releases in one plain sentence each, whether of one flow or of thousands.
import { unreachable } from '../src/domain/decider.js';
import type { Change, EnvironmentEvent, VersionRef } from '../src/domain/environment.events.js';
import type { Knowledge, Told } from './audit-told.js';

/** A bulk release names so many of its flows; of the others it tells how many they are. */
const FLOWS_NAMED_MAX = 100;

type Known = Knowledge['known'];

export function toldOfRelease(event: EnvironmentEvent, environmentId: string, { known }: Knowledge): Told {
  const { release, comment, changes, part } = event;
  const [only] = changes.length === 1 ? changes : [];
  const version = only?.to ?? only?.from;
  const { slug } = known(environmentId);
  return {
    summary: `${sentence(event, slug, known)}${partOf(part)}`,
    comment,
    before: versionsIn(changes, 'from', known),
    after: versionsIn(changes, 'to', known),
    environmentId,
    ...(event.type === 'VersionsPromoted' && {
      alsoNames: {
        environmentId: event.source.environmentId,
        summaryAlone: `${promoted(event, '', slug, known)}${partOf(part)}`,
      },
    }),
    ...(only && { flowId: only.flowId }),
    ...(version && { version: { id: version.versionId, number: version.number } }),
    release,
    changes,
  };
}

function sentence(event: EnvironmentEvent, environment: string, known: Known): string {
  const { release, changes } = event;
  const [only] = changes.length === 1 ? changes : [];
  const slug = only && known(only.flowId).slug;
  switch (event.type) {
    case 'VersionActivated': {
      const place = only?.from ? ` in place of version ${only.from.number}` : '';
      const what = only ? `${slug} version ${numberOf(only.to)} was` : `${changes.length} flows were`;
      return `${what} activated in ${environment}${place}, release ${release}`;
    }
    case 'VersionDeactivated': {
      const what = only ? `${slug} version ${numberOf(only.from)} was` : `${changes.length} flows were`;
      return `${what} deactivated in ${environment}, release ${release}`;
    }
    case 'VersionsPromoted': {
      const source = `from ${known(event.source.environmentId).slug} (release ${event.source.release}) `;
      return promoted(event, source, environment, known);
    }
    case 'EnvironmentRolledBack': {
      const { restores } = event;
      const what = only ? `${slug} ${move(only)}` : `${changes.length} flows changed`;
      if (restores !== null) {
        const where = restores === 0 ? 'before its first release' : `release ${restores}`;
        return `${environment} was rolled back to ${where}: ${what}`;
      }
      return only
        ? `In ${environment} ${slug} went back by its own history: ${move(only)}, release ${release}`
        : `In ${environment} ${changes.length} flows went back, each by its own history, release ${release}`;
    }
    default:
      return unreachable(event);
  }
}

function promoted({ release, changes }: EnvironmentEvent, source: string, environment: string, known: Known) {
  const [only] = changes.length === 1 ? changes : [];
  const what = only ? `${known(only.flowId).slug} ${move(only)}` : `${changes.length} flows`;
  return `Promoted ${what} ${source}to ${environment}, release ${release}`;
}

function partOf(part: EnvironmentEvent['part']): string {
  if (part === undefined) return '';
  const { number, of } = part;
  return ` (part ${number} of ${of}, ${number === of ? 'which completes it' : 'not complete yet'})`;
}

function move({ from, to }: Change): string {
  return `${numberOf(from)} → ${numberOf(to)}`;
}

function numberOf(version: VersionRef | null): number | string {
  return version?.number ?? 'none';
}

/** The number of the version of each flow, null for none. */
function versionsIn(changes: readonly Change[], side: 'to' | 'from', known: Known) {
  const named = changes.length > FLOWS_NAMED_MAX ? changes.slice(0, FLOWS_NAMED_MAX) : changes;
  const flows = named.map((change) => ({
    slug: known(change.flowId).slug,
    version: change[side]?.number ?? null,
  }));
  return named === changes ? { flows } : { flows, more: changes.length - named.length };
}

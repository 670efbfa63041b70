// `npm run torture`: the rigs that the tests run for some seconds, for as long as one likes. Whatever they find is told
// with the command that shows it again.
import { parseArgs } from 'node:util';
import { kill, powerLoss } from './crashes.js';
import { faults } from './disk-faults.js';
import { foldOfLog } from './fold.js';
import { fuzz } from './fuzz.js';
import { histories } from './histories.js';
import type { Fault, Outcome, Rig } from './rig.js';
import { simulation } from './simulation.js';

const RIGS: Readonly<Record<string, Rig>> = {
  kill,
  'power-loss': powerLoss,
  faults,
  fuzz,
  histories,
  fold: foldOfLog,
  simulation,
};
const TELL_EVERY_MS = 60_000;
const FAULTS_END = 1;
const USAGE_END = 2;

const USAGE = `Usage: npm run torture -- [RIG ...] [--seed N] [--minutes M | --count N] [--json]

${Object.entries(RIGS)
  .map(([name, { about }]) => `  ${name.padEnd(12)}${about}`)
  .join('\n')}

All of them unless some are named, in a quarter of an hour. What is promised of the product is held to:
${Object.entries(RIGS)
  .map(([name, { usual, full, unit }]) => `  ${name.padEnd(12)}--count ${full} (usually ${usual} ${unit})`)
  .join('\n')}

  --seed N      the same again (default: chance; it is printed)
  --minutes M   so long each, in place of a count
  --count N     so many each
  --json        one line of JSON for each rig

The exit code is 0 when nothing was found, 1 when something was, 2 when the command is wrong.`;

interface Told {
  readonly rig: string;
  readonly seed: number;
  readonly unit: string;
  readonly count: number;
  readonly figures: Record<string, number>;
  readonly seconds: number;
  readonly faults: readonly { readonly what: string; readonly again: string }[];
  /** Why it did not run; empty when it did. */
  readonly skipped: string;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = readArguments();
  if (typeof asked === 'string') {
    process.stderr.write(`${asked}\n\n${USAGE}\n`);
    return USAGE_END;
  }
  if (asked.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  let found = 0;
  for (const name of asked.rigs) {
    const told = await torture(name, RIGS[name] as Rig, asked);
    process.stdout.write(`${asked.json ? JSON.stringify(told) : inWords(told)}\n`);
    found += told.faults.length;
  }
  return found === 0 ? 0 : FAULTS_END;
}

interface Asked {
  readonly help: boolean;
  readonly json: boolean;
  readonly rigs: readonly string[];
  readonly seed: number;
  readonly count: number | undefined;
  readonly minutes: number | undefined;
}

/** What was asked for, or what is wrong with it. */
function readArguments(): Asked | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: 'string' },
        minutes: { type: 'string' },
        count: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { seed, count, minutes, json, help } = values;
    const unknown = positionals.filter((name) => !Object.hasOwn(RIGS, name));
    if (unknown.length > 0) return `There is no rig ${unknown.join(', ')}`;
    if (count !== undefined && minutes !== undefined) return 'Either --count or --minutes, not both';
    if ([seed, count].some((value) => value !== undefined && !/^\d{1,12}$/.test(value)))
      return '--seed and --count take whole numbers';
    if (minutes !== undefined && !(Number(minutes) > 0)) return '--minutes takes a number above 0';
    return {
      ...{ help, json, rigs: positionals.length > 0 ? positionals : Object.keys(RIGS) },
      seed: seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(seed),
      count: count === undefined ? undefined : Number(count),
      minutes: minutes === undefined ? undefined : Number(minutes),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Part after part, each with the next seed, until there are enough or something was found. */
async function torture(name: string, rig: Rig, { seed, count, minutes }: Asked): Promise<Told> {
  const started = performance.now();
  const until = minutes === undefined ? Infinity : started + minutes * 60_000;
  const wanted = count ?? (minutes === undefined ? rig.usual : Infinity);
  const figures: Record<string, number> = {};
  const found: { what: string; again: string }[] = [];
  let done = 0;
  let part = seed;
  let toldAt = started;
  if (rig.missing !== '') process.stderr.write(`${name.toUpperCase()} IS SKIPPED: ${rig.missing}\n`);
  while (rig.missing === '' && done < wanted && performance.now() < until) {
    const some = Math.min(rig.part, wanted - done);
    const outcome = await runPart(rig, { seed: part, count: some, until });
    done += outcome.count;
    for (const [what, number] of Object.entries(outcome.figures))
      figures[what] = (figures[what] ?? 0) + number;
    for (const [what, number] of Object.entries(outcome.highest ?? {}))
      figures[what] = Math.max(figures[what] ?? number, number);
    found.push(
      ...outcome.faults.map((fault) => ({ what: fault.what, again: again(name, part, some, fault) })),
    );
    if (found.length > 0) break;
    part += rig.seedsEach === true ? some : 1;
    if (performance.now() - toldAt < TELL_EVERY_MS) continue;
    toldAt = performance.now();
    process.stderr.write(`${name}: ${done} ${rig.unit} so far\n`);
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  return {
    rig: name,
    seed,
    unit: rig.unit,
    count: done,
    figures,
    seconds,
    faults: found,
    skipped: rig.missing,
  };
}

/** A rig that breaks down has found something too. */
async function runPart(rig: Rig, part: Parameters<Rig['run']>[0]): Promise<Outcome> {
  try {
    return await rig.run(part);
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { count: 0, figures: {}, faults: [{ what }] };
  }
}

function again(rig: string, seed: number, count: number, fault: Fault): string {
  const part = fault.again ?? { seed, count };
  return `npm run torture -- ${rig} --seed ${part.seed} --count ${part.count}`;
}

function inWords({ rig, seed, unit, count, figures, seconds, faults: found, skipped }: Told): string {
  if (skipped !== '') return `${rig}: SKIPPED, ${skipped}`;
  const shown = (number: number) => number.toLocaleString('en-US');
  const parts = [
    `${shown(count)} ${unit}`,
    ...Object.entries(figures).map(([what, number]) => `${what}: ${shown(number)}`),
    `${shown(seconds)} s`,
    `seed ${seed}`,
  ];
  const lines = found.map(({ what, again: command }) => `FOUND by ${rig}: ${what}\n  Again: ${command}`);
  return [...lines, `${found.length === 0 ? 'ok' : 'FAILED'} ${rig}: ${parts.join(', ')}`].join('\n');
}

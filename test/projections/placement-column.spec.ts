// The dense form of the flows of an environment: to whoever asks, it is a plain map; inside, they share versions.
import fc from 'fast-check';
import type { Placement } from '../../src/domain/environment-state.js';
import { FlowNumbers, PlacementColumn } from '../../projections/placement-column.js';
import { version } from '../support/environment-log.js';

const FLOWS = ['chat', 'search', 'tools', 'agent', 'ranker', 'never'];

describe('The columns of two environments', () => {
  it('hold what a map each would hold, in the order of the flow numbers', () => {
    const number = fc.option(fc.integer({ min: 1, max: 3 }));
    const flowId = fc.constantFrom(...FLOWS.slice(0, -1));
    const write = fc.record({ place: fc.nat(1), flowId, number, since: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 30, size: 'max' }), (writes) => {
        const numbers = new FlowNumbers();
        const columns = columnsOf(numbers);
        const maps = columns.map(() => new Map<string, Placement>());
        for (const { place, flowId, number, since } of writes) {
          const placement = { version: number === null ? null : version(flowId, number), since };
          columns[place]?.set(flowId, placement);
          maps[place]?.set(flowId, placement);
        }
        for (const [place, column] of columns.entries()) holds(column, maps[place] ?? new Map(), numbers);
      }),
    );
  });

  it('tell a flow that runs nothing from one that was never active', () => {
    const [column] = columnsOf(new FlowNumbers());
    column.set('chat', { version: null, since: 0 });
    expect(column.has('chat')).toBe(true);
    expect(column.get('chat')).toEqual({ version: null, since: 0 });
    column.set('search', { version: null, since: 0 });
    expect(column.has('tools')).toBe(false);
    expect(column.get('tools')).toBeUndefined();
    expect(column.size).toBe(2);
  });

  it('share one version that runs in both', () => {
    const [one, other] = columnsOf(new FlowNumbers());
    one.set('chat', { version: version('chat', 1), since: 1 });
    other.set('chat', { version: version('chat', 1), since: 4 });
    expect(other.get('chat')?.version).toBe(one.get('chat')?.version);
    expect(other.get('chat')?.since).toBe(4);
  });
});

function columnsOf(numbers: FlowNumbers): [PlacementColumn, PlacementColumn] {
  const siblings: PlacementColumn[] = [];
  const columns: [PlacementColumn, PlacementColumn] = [
    new PlacementColumn(numbers, siblings),
    new PlacementColumn(numbers, siblings),
  ];
  siblings.push(...columns);
  return columns;
}

function holds(column: PlacementColumn, map: ReadonlyMap<string, Placement>, numbers: FlowNumbers): void {
  expect(column.size).toBe(map.size);
  for (const flowId of FLOWS) {
    expect(column.get(flowId)).toEqual(map.get(flowId));
    expect(column.has(flowId)).toBe(map.has(flowId));
    const flowNumber = numbers.find(flowId) ?? numbers.ids.length;
    expect(column.versionIdAt(flowNumber)).toBe(map.get(flowId)?.version?.versionId ?? null);
  }
  expect([...column.keys()]).toEqual(numbers.ids.filter((flowId) => map.has(flowId)));
  expect(new Map(column)).toEqual(map);
}

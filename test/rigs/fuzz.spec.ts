// The fuzz is trusted because it finds each mistake that is planted in the real server: a fault for one value alone, an
// answer of another shape, a prototype that is changed, memory that is kept, a server that ends.
import { seed } from '../support/random.js';
import { fuzzServer } from '../torture/fuzz.js';
import { withMistake } from '../torture/planted.js';
import { WATCH } from '../torture/server-watch.js';

const REQUESTS = 1_500;

describe(`The fuzz finds a server that (seed ${seed})`, () => {
  it.each([
    ['fails for one value of one field', 'fails-for-one-value', /A fault of the server[^]*"comment":"x/],
    ['answers in another shape', 'answers-another-shape', /not as documented[^]*activeCount/],
    ['changes what all objects share', 'pollutes-prototypes', /Object\.prototype\.polluted was changed/],
    ['keeps something of each request', 'leaks-memory', /MiB more than/],
    ['ends', 'dies', /The server ended with 3/],
  ] as const)(
    '%s',
    async (_, mistake, expected) => {
      const settings = withMistake(mistake, WATCH);
      const { faults } = await fuzzServer({ seed, count: REQUESTS, until: Infinity }, settings);
      expect(faults.map(({ what }) => what).join('\n')).toMatch(expected);
    },
    120_000,
  );
});

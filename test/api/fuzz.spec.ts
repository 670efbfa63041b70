// Some thousand requests that are made from the API document, good and spoilt, as `npm run torture -- fuzz` sends them
// by the hundred thousand.
import { fuzzServer } from '../torture/fuzz.js';
import { seed } from '../support/random.js';

const REQUESTS = Number(process.env['TEST_FUZZED'] ?? 3_000);
const SUCCEEDED_MIN = 0.6;

it(`Nothing that is sent makes a fault, an undocumented answer or a lasting change (seed ${seed})`, async () => {
  const { count, highest, faults } = await fuzzServer({ seed, count: REQUESTS, until: Infinity });
  expect(faults).toEqual([]);
  expect(count).toBe(REQUESTS);
  // Whoever is always refused gets to see nothing of the server.
  const { operations = 0, 'operations that succeeded': succeeded = 0 } = highest ?? {};
  expect(succeeded).toBeGreaterThan(operations * SUCCEEDED_MIN);
}, 600_000);

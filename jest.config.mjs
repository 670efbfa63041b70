// Tests run as compiled, so what is tested is what is shipped: the same JavaScript, the same worker threads.
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/dist/test'],
  testMatch: ['**/*.spec.js'],
  transform: {},
  testTimeout: 60_000,
  // Most of them wait for a server, a disk or a clock.
  maxWorkers: '100%',
};

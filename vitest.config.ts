import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Bun runs threads; forks end at once.
    pool: 'threads',
    maxWorkers: 2,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/backend.ts'],
    reporters: ['default', './test/support/closing-line.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})

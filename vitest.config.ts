import { defineConfig } from 'vitest/config'
import { SlowFirst } from './test/support/slow-first.ts'

export default defineConfig({
  test: {
    // Bun runs threads; forks end at once.
    pool: 'threads',
    // More than the machine of the checks has cores: many files mostly wait.
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/backend.ts'],
    reporters: ['default', './test/support/closing-line.ts'],
    // Beyond the deadlines of the waits in a test, which say what was awaited; a machine with other work is slow.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
})

/** Ends the run with one plain line that any tool can read. */
import type { Reporter, TestModule } from 'vitest/node'

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state]++
      // A file that could not even be loaded has no tests to count.
      if (module.state() === 'failed' && !module.ok() && module.children.size === 0) counts.failed++
    }
    const failed = counts.failed + counts.pending + errors.length
    console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`)
  }
}

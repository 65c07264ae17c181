/** Files that take long begin first, so that none of them is left to run alone at the end. */
import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Those that keep the processor busy, and among them those that mostly wait: the two go well beside each other. */
const slow = [
  'test/e2e/browser/videos.test.ts',
  'test/integration/jobs/video/options.test.ts',
  'test/e2e/idle.test.ts',
  'test/e2e/browser/jobs.test.ts',
  'test/e2e/browser/operations.test.ts',
  'test/e2e/stalls.test.ts',
  'test/e2e/segments.test.ts',
  'test/e2e/videos.test.ts',
  'test/e2e/pooler.test.ts',
  'test/e2e/stack.test.ts',
  'test/integration/jobs/video/sounds.test.ts',
  'test/e2e/worker-death.test.ts',
  'test/e2e/turns.test.ts',
  'test/integration/jobs/video/verify.test.ts',
  'test/chaos/partition.test.ts',
  'test/e2e/uploads.test.ts',
  'test/e2e/auth.test.ts',
  'test/e2e/isolation.test.ts',
]

export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = slow.indexOf(relative(this.ctx.config.root, moduleId))
      return place === -1 ? slow.length : place
    }
    return (await super.sort(files)).sort((one, other) => placeOf(one) - placeOf(other))
  }
}

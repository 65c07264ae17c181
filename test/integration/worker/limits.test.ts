import { tmpdir } from 'node:os'
import pino from 'pino'
import { expect, test } from 'vitest'
import { LimitWatch } from '../../../worker/limits.ts'
import { ProcessTree } from '../../../worker/process-tree.ts'
import { until } from '../../support/until.ts'

const memoryLimitMb = 400

/** Waits for a line, then fills as much as the limit; itself, or in a process that it makes for it. */
const hoard = `const kept = Buffer.alloc(${memoryLimitMb} * 1024 ** 2, 1); setTimeout(() => kept, 600_000)`
const programs = {
  itself: `for await (const _line of console) { ${hoard} }`,
  'a process it makes later': `for await (const _line of console) Bun.spawn([process.execPath, '-e', ${JSON.stringify(hoard)}])`,
}

test.each(Object.entries(programs))(
  'memory that a job fills after many looks is seen: %s',
  async (_who, program) => {
    const root = Bun.spawn([process.execPath, '-e', program], {
      detached: true,
      stdin: 'pipe',
      env: { PATH: process.env.PATH },
    })
    const tree = ProcessTree.of(root.pid, 'limits')
    const exceeded = Promise.withResolvers<string>()
    const watch = new LimitWatch(pino({ level: 'silent' })).watch({
      tree,
      scratchDirectory: tmpdir(),
      limits: { memoryLimitMb, scratchLimitMb: Number.MAX_SAFE_INTEGER },
      exceeded: exceeded.resolve,
    })
    try {
      await until('a look at its memory', () => watch.peakMemoryBytes > 0)
      // Some looks more, at what is there already.
      await Bun.sleep(1000)
      expect(watch.peakMemoryBytes).toBeLessThan(memoryLimitMb * 1024 ** 2)
      root.stdin.write('\n')
      root.stdin.flush()
      expect(await exceeded.promise).toBe('out_of_memory')
      expect(watch.peakMemoryBytes).toBeGreaterThan(memoryLimitMb * 1024 ** 2)
    } finally {
      watch.stop()
      tree.killGroup()
      await root.exited
      expect(await tree.end()).toBe(true)
    }
  },
)

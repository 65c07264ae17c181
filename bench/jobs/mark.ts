/** Does nothing but say when its first line ran, in milliseconds since 1970 with their fractions. */
import { z } from 'zod'
import { defineJob } from '../../core/job.ts'

export const Mark = z.object({ atMs: z.number() })

export default defineJob({
  key: 'bench.mark',
  // A job that fails must be seen, not tried again.
  maxAttempts: 1,
  timeoutSeconds: 30,
  params: z.object({}),
  // The clock of a process this young has not drifted yet.
  run: (): z.output<typeof Mark> => ({ atMs: performance.timeOrigin + performance.now() }),
})

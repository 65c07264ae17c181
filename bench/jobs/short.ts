/** Does nothing, in a process that does so many times. */
import { z } from 'zod'
import { defineJob } from '../../core/job.ts'

export default defineJob({
  key: 'bench.short',
  maxAttempts: 1,
  timeoutSeconds: 30,
  runsPerProcess: 100_000,
  params: z.object({}),
  run: () => null,
})

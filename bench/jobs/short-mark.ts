/** As `bench.short`, and says when it ran: by a clock that does not drift in a process that lives for long. */
import { z } from 'zod'
import { defineJob } from '../../core/job.ts'

export default defineJob({
  key: 'bench.short-mark',
  maxAttempts: 3,
  timeoutSeconds: 30,
  runsPerProcess: 1000,
  params: z.object({ sentAtMs: z.number() }),
  run: ({ sentAtMs }) => ({ waitedMs: Date.now() - sentAtMs }),
})

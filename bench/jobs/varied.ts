/** Does nothing, as it is told: succeeds, fails once, fails for good, or wants to run a little later. */
import { z } from 'zod'
import { defineJob } from '../../core/job.ts'

export default defineJob({
  key: 'bench.varied',
  maxAttempts: 2,
  timeoutSeconds: 30,
  runsPerProcess: 1000,
  backoff: { baseSeconds: 0.1, factor: 1, maxSeconds: 0.1 },
  params: z.object({ way: z.enum(['succeeds', 'failsOnce', 'fails', 'snoozes']) }),
  run({ way }, context) {
    const isFirst = context.attempt === 1 && context.checkpoint === null
    if (way === 'fails' || (way === 'failsOnce' && isFirst)) context.fail('as it was told')
    if (way === 'snoozes' && isFirst) {
      context.saveCheckpoint({ snoozed: true })
      context.snooze(0.1)
    }
    return null
  },
})

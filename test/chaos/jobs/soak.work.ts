/** Next to nothing, in a process that serves many. */
import { z } from 'zod'
import { defineJob } from '../../../core/job.ts'

export default defineJob({
  key: 'soak.work',
  runsPerProcess: 500,
  params: z.object({ n: z.int() }),
  run: ({ n }, context) => {
    context.log.info('at work', { n })
    return { n }
  },
})

/** Gives its message back. */
import { z } from 'zod'
import { defineJob } from '../core/job.ts'

export default defineJob({
  key: 'echo',
  params: z.object({ message: z.string().max(100_000).optional() }),
  run: ({ message = '' }) => ({ message }),
})

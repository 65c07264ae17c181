/** Fails, always: to see retries and dead letters at work. */
import { z } from 'zod'
import { defineJob, JobError } from '../core/job.ts'

export default defineJob({
  key: 'failing',
  params: z.object({}),
  backoff: { baseSeconds: 1, maxSeconds: 10 },
  run() {
    throw new JobError('always_fails', 'This job always fails.')
  },
})

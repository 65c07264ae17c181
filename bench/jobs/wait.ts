/** Waits to be stopped, and tells when it was, in milliseconds since 1970 with their fractions. */
import { z } from 'zod'
import { defineJob } from '../../core/job.ts'

export default defineJob({
  key: 'bench.wait',
  maxAttempts: 1,
  timeoutSeconds: 60,
  params: z.object({}),
  run: (_params, context) =>
    new Promise((resolve) => {
      context.event('waiting')
      context.signal.addEventListener('abort', () => {
        context.event('stopped', { atMs: performance.timeOrigin + performance.now() })
        resolve(null)
      })
    }),
})

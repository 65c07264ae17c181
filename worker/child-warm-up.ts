/**
 * A definition that is never run. A process that waits for its job loads it and tries its schema, as it will the job's:
 * what the first file of definitions takes longer than any other is then done (two of two and a half milliseconds).
 */
import { z } from 'zod'
import { defineJob } from '../core/job.ts'

export default defineJob({ key: 'warm-up', params: z.object({}), run: () => null })

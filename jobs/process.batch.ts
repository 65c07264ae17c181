/** Hashes items batch by batch, with progress; after an interruption it goes on where it was. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { defineJob } from '../core/job.ts'

const Checkpoint = z.object({ digests: z.array(z.string()) })

export default defineJob({
  key: 'process.batch',
  params: z.object({
    items: z.array(z.string()).min(1).max(10_000),
    batchSize: z.int().min(1).max(1000).default(10),
  }),
  run({ items, batchSize }, context) {
    const earlier = Checkpoint.safeParse(context.checkpoint)
    const digests = earlier.success ? earlier.data.digests : []
    while (digests.length < items.length) {
      context.signal.throwIfAborted()
      const batch = items.slice(digests.length, digests.length + batchSize)
      digests.push(...batch.map((item) => createHash('sha256').update(item).digest('hex')))
      context.saveCheckpoint({ digests })
      context.progress({ percent: (100 * digests.length) / items.length, processed: digests.length })
    }
    return { processed: items.length, batches: Math.ceil(items.length / batchSize), digests }
  },
})

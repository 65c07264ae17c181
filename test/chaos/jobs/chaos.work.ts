/** Does its little work in the way its parameters say, and notes in a ledger outside that it ran. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { defineJob } from '../../../core/job.ts'

export default defineJob({
  key: 'chaos.work',
  maxAttempts: 200,
  timeoutSeconds: 30,
  backoff: { baseSeconds: 0.05, maxSeconds: 0.5 },
  params: z.object({
    ledger: z.string(),
    workMs: z.int(),
    /** What the attempts before the last one do. */
    stumbles: z.array(z.enum(['throw', 'exit', 'snooze'])),
    publishes: z.boolean(),
  }),
  async run({ ledger, workMs, stumbles, publishes }, context) {
    appendFileSync(join(ledger, context.jobId), `${context.attempt}\n`)
    // What was stumbled over is remembered across attempts, however they ended.
    const stumbled = typeof context.checkpoint === 'number' ? context.checkpoint : 0
    await Bun.sleep(workMs)
    const stumble = stumbles[stumbled]
    if (stumble !== undefined) {
      context.saveCheckpoint(stumbled + 1)
      if (stumble === 'throw') throw new Error('stumbled')
      if (stumble === 'snooze') context.snooze(0.05)
      process.exit(0)
    }
    if (!publishes) return { published: null }
    const path = join(context.scratchDirectory, 'output.txt')
    writeFileSync(path, context.jobId)
    const { key } = await context.storage.upload(path, { name: 'output.txt', contentType: 'text/plain' })
    return { published: key }
  },
})

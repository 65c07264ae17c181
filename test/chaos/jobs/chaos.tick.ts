/** Notes the time in a ledger outside, over and over, until it is stopped or its time is up. */
import { appendFileSync } from 'node:fs'
import { z } from 'zod'
import { defineJob } from '../../../core/job.ts'

export default defineJob({
  key: 'chaos.tick',
  params: z.object({ ledger: z.string(), seconds: z.number() }),
  async run({ ledger, seconds }, { attempt }) {
    const end = performance.now() + seconds * 1000
    while (performance.now() < end) {
      appendFileSync(ledger, `${attempt} ${Date.now()}\n`)
      await Bun.sleep(10)
    }
    return { attempt }
  },
})

/** Never ends by itself: deaf to the abort signal and to SIGTERM, as are a shell that it starts and what that starts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { z } from 'zod'
import { defineJob } from '../../core/job.ts'

export const Hanging = z.object({ pids: z.array(z.int()) })

export default defineJob({
  key: 'bench.hang',
  timeoutSeconds: 300,
  params: z.object({ children: z.boolean() }),
  async run({ children }, context) {
    process.on('SIGTERM', () => {})
    context.event('hanging', { pids: [process.pid, ...(children ? await startDeafShell() : [])] })
    return await new Promise<never>(() => {
      // Alone, a promise keeps no process alive.
      setInterval(() => {}, 1_000_000)
    })
  },
})

/** What is ignored by a shell is ignored by what it starts. */
async function startDeafShell(): Promise<number[]> {
  const shell = spawn('/bin/sh', ['-c', "trap '' TERM; sleep 600 & echo $!; wait"], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [line] = await once(shell.stdout, 'data')
  return [shell.pid ?? 0, Number(String(line))]
}

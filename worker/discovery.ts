/** Discovers definitions in a process of its own: job code is never loaded into the coordinator. */
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Discovery } from '../core/definitions/discover.ts'

const entry = fileURLToPath(new URL('./discover-child.ts', import.meta.url))
const patienceMs = 60_000

const answer = z.custom<Discovery>(
  (value) => typeof value === 'object' && value !== null && 'definitions' in value,
)

/** @throws Error when the process ends without an answer, for example because a job file ends it while loading */
export async function discoverInProcess(
  directories: string[],
  searchPath: string | undefined,
): Promise<Discovery> {
  const received = Promise.withResolvers<Discovery>()
  const child = Bun.spawn([process.execPath, '--no-install', entry, ...directories], {
    env: { PATH: searchPath },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
    serialization: 'json',
    timeout: patienceMs,
    killSignal: 'SIGKILL',
    ipc: (message) => received.resolve(answer.parse(message)),
  })
  child.exited.then((status) =>
    received.reject(new Error(`discovery ended with status ${status} and no answer`)),
  )
  return await received.promise
}

/** Finds ports to listen on. */
import { createServer } from 'node:net'

const host = '127.0.0.1'
/** Linux gives outgoing connections those from 32768 on, others from 49152. */
const firstForAny = 20_000
const countForAny = 12_000

/** `preferred`, or the next one up that nobody listens on. @throws Error when a hundred in a row are taken */
export async function freePort(preferred: number): Promise<number> {
  for (let port = preferred; port < preferred + 100; port++) if (await isFree(port)) return port
  throw new Error(`The ports ${preferred} to ${preferred + 99} are all taken.`)
}

/**
 * Any port that nobody listens on, of those that no system gives to outgoing connections: between this look and its use, one
 * of them might get it.
 * @throws Error when a hundred by chance are taken
 */
export async function anyPort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = firstForAny + Math.floor(Math.random() * countForAny)
    if (await isFree(port)) return port
  }
  throw new Error(`A hundred ports from ${firstForAny} on are all taken.`)
}

export async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

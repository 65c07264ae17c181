/** Finds ports to listen on. */
import { createServer } from 'node:net'

const host = '127.0.0.1'

/** `preferred`, or the next one up that nobody listens on. @throws Error when a hundred in a row are taken */
export async function freePort(preferred: number): Promise<number> {
  for (let port = preferred; port < preferred + 100; port++) if (await isFree(port)) return port
  throw new Error(`The ports ${preferred} to ${preferred + 99} are all taken.`)
}

/** Any port. */
export async function anyPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

export async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

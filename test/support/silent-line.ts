/** A way to a server on which, once, nothing more comes: connections stay open, as with a storage that hangs. */
import { connect, createServer, type Socket } from 'node:net'
import { afterAll } from 'vitest'

export interface SilentLine {
  /** The address of the server by way of the line. */
  url: string
  /** The next connection on which so many bytes went that way carries no more of them, and no answer. */
  fallSilentAfter(bytes: number, way: 'up' | 'down'): void
  /** Whether it has happened. */
  readonly isSilent: boolean
}

export async function openSilentLine(serverUrl: string): Promise<SilentLine> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let armed: { bytes: number; way: 'up' | 'down' } | undefined
  let isSilent = false
  // Half open, or the runtime would answer a goodbye by itself.
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect(Number(target.port), target.hostname)
    const passed = { up: 0, down: 0 }
    let hasFallenSilent = false
    for (const [way, from, to] of [
      ['up', near, far],
      ['down', far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => {
        passed[way] += bytes.length
        if (armed?.way === way && passed[way] > armed.bytes) {
          armed = undefined
          isSilent = true
          hasFallenSilent = true
          near.pause()
          far.pause()
        } else to.write(bytes)
      })
      from.on('end', () => {
        if (!hasFallenSilent) to.end()
      })
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        // A server that waits in vain closes its end.
        if (from === near || !hasFallenSilent) to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the line has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    fallSilentAfter: (bytes, way) => {
      isSilent = false
      armed = { bytes, way }
    },
    get isSilent() {
      return isSilent
    },
  }
}

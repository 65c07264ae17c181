/**
 * A way to PostgreSQL that counts what passes. It can be cut: nothing passes any more, and nobody is told. Or dropped:
 * connections end and new ones are refused, as when PostgreSQL is down.
 */
import { connect, createServer, type Socket } from 'node:net'
import { afterAll } from 'vitest'

export interface Line {
  /** The address of PostgreSQL by way of the line. */
  url: string
  /** Statements that were sent over it. */
  statements(): number
  cut(): void
  drop(): void
  mend(): void
  restore(): Promise<void>
}

/** @param options.asGiven what is passed on of what PostgreSQL answered */
export async function openLine(
  databaseUrl: string,
  { asGiven = (answer: Buffer) => answer } = {},
): Promise<Line> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let isCut = false
  let statements = 0
  const server = createServer((near) => {
    near.on(
      'data',
      statementCounter(() => statements++),
    )
    const far = connect(Number(target.port), target.hostname)
    for (const [from, to, pass] of [
      [near, far, (bytes: Buffer) => bytes],
      [far, near, asGiven],
    ] as const) {
      sockets.add(from)
      if (isCut) from.pause()
      from.on('data', (bytes: Buffer) => to.write(pass(bytes)))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()))
  await listen(0)
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the line has no port')
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String(address.port)
  const { port } = address
  return {
    url: url.href,
    statements: () => statements,
    cut: () => {
      isCut = true
      for (const socket of sockets) socket.pause()
    },
    drop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
    mend: () => {
      isCut = false
      for (const socket of sockets) socket.resume()
    },
    restore: () => listen(port),
  }
}

/**
 * Counts Bind and Query messages of a client: a statement that was prepared before comes without a Parse (PostgreSQL's frontend protocol, version 3: a type byte, then the length
 * that counts itself; the very first message has no type).
 */
function statementCounter(found: () => void): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let isFirst = true
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      const header = isFirst ? 0 : 1
      if (rest.length < header + 4) return
      const size = header + rest.readInt32BE(header)
      if (rest.length < size) return
      const type = isFirst ? '' : String.fromCharCode(rest[0] ?? 0)
      if (type === 'B' || type === 'Q') found()
      isFirst = false
      rest = rest.subarray(size)
    }
  }
}

/**
 * A client of server-sent events over a plain socket, so that a test may have a thousand of them, and one that reads
 * slowly or is gone. Knows what our servers send: HTTP/1.1, chunked, lines ended by LF.
 */
import { connect, type Socket } from 'node:net'
import { afterAll } from 'vitest'
import { until } from './until.ts'

interface Received {
  id: string
  jobId: string
  eventType: string
  payload: Record<string, unknown>
  definitionKey?: string
}

export interface EventSource {
  /** 0 until the answer came. */
  status(): number
  /** In lower case. */
  headers(): string
  events: Received[]
  /** As a browser keeps it. */
  lastEventId(): string
  heartbeats(): number
  isOpen(): boolean
  /** Takes nothing more from the socket. */
  pause(): void
  resume(): void
  close(): void
  receives(eventType: string, count?: number): Promise<Received[]>
  ends(): Promise<void>
}

const open = new Set<Socket>()
afterAll(() => {
  for (const socket of open) socket.destroy()
})

export function openEventSource(
  url: string,
  options: { lastEventId?: string; headers?: Record<string, string> } = {},
): EventSource {
  const { hostname, port, pathname, search } = new URL(url)
  const socket = connect(Number(port), hostname)
  open.add(socket)
  const events: Received[] = []
  let head = ''
  let rest = ''
  let text = ''
  let lastEventId = options.lastEventId ?? ''
  let heartbeats = 0
  let isOpen = true
  const headers = {
    Host: `${hostname}:${port}`,
    Accept: 'text/event-stream',
    ...(options.lastEventId === undefined ? {} : { 'Last-Event-ID': options.lastEventId }),
    ...options.headers,
  }
  socket.write(
    [
      `GET ${pathname}${search} HTTP/1.1`,
      ...Object.entries(headers).map((pair) => pair.join(': ')),
      '',
      '',
    ].join('\r\n'),
  )
  socket.setEncoding('latin1')
  socket.on('data', (bytes: string) => {
    rest += bytes
    if (head === '') {
      const end = rest.indexOf('\r\n\r\n')
      if (end < 0) return
      head = rest.slice(0, end)
      rest = rest.slice(end + 4)
      // An answer without a stream; the server keeps the connection.
      if (!/^transfer-encoding: chunked/im.test(head)) socket.end()
    }
    takeChunks()
    takeBlocks()
  })
  const gone = () => {
    isOpen = false
    open.delete(socket)
  }
  socket.on('close', gone)
  socket.on('error', gone)

  function takeChunks(): void {
    for (;;) {
      const line = rest.indexOf('\r\n')
      if (line < 0) return
      const size = Number.parseInt(rest.slice(0, line), 16)
      if (rest.length < line + 2 + size + 2) return
      text += rest.slice(line + 2, line + 2 + size)
      rest = rest.slice(line + 2 + size + 2)
      // The last chunk is empty; the server keeps the connection.
      if (size === 0) socket.end()
    }
  }

  function takeBlocks(): void {
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      let data = ''
      for (const line of text.slice(0, end).split('\n')) {
        if (line.startsWith('id: ')) lastEventId = line.slice(4)
        else if (line.startsWith('data: ')) data += line.slice(6)
        else if (line.startsWith(':')) heartbeats++
      }
      if (data !== '') events.push(JSON.parse(Buffer.from(data, 'latin1').toString('utf8')))
      text = text.slice(end + 2)
    }
  }

  return {
    status: () => Number(head.slice(9, 12)),
    headers: () => head.toLowerCase(),
    events,
    lastEventId: () => lastEventId,
    heartbeats: () => heartbeats,
    isOpen: () => isOpen,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.destroy(),
    receives: async (eventType, count = 1) =>
      await until(`${count} × ${eventType}`, () => {
        const found = events.filter((event) => event.eventType === eventType)
        return found.length >= count && found
      }),
    ends: async () => {
      await until('the stream to end', () => !isOpen)
    },
  }
}

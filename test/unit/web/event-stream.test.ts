import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { StreamOptions } from '../../../web/live/event-stream.ts'

// What the stream asks of a page.
vi.stubGlobal('sessionStorage', { getItem: () => null })
vi.stubGlobal('location', { origin: 'http://localhost' })
const { openEventStream } = await import('../../../web/live/event-stream.ts')

class FakeDocument extends EventTarget {
  hidden = false
  show(isShown: boolean) {
    this.hidden = !isShown
    this.dispatchEvent(new Event('visibilitychange'))
  }
}

interface Connection {
  lastId: string | null
  signal: AbortSignal
  send(text: string): void
}

let page = new FakeDocument()
let connections: Connection[] = []
let states: string[] = []
let events: string[] = []
/** How many events had been told, each time that there were no more. */
let caughtUp: number[] = []
let close = () => {}
/** How requests are answered before there is a stream. */
let refusals: (() => Response)[] = []

beforeEach(() => {
  page = new FakeDocument()
  ;[connections, states, events, caughtUp, refusals] = [[], [], [], [], []]
  const browser = new EventTarget()
  vi.stubGlobal('document', page)
  vi.stubGlobal('addEventListener', browser.addEventListener.bind(browser))
  vi.stubGlobal('removeEventListener', browser.removeEventListener.bind(browser))
  vi.stubGlobal('fetch', connect)
  vi.useFakeTimers()
})
afterEach(() => {
  close()
  vi.useRealTimers()
})

async function connect(_url: string, { headers, signal }: { headers: Headers; signal: AbortSignal }) {
  const refusal = refusals.shift()
  if (refusal !== undefined) return refusal()
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const encoder = new TextEncoder()
      const send = (text: string) => controller.enqueue(encoder.encode(text))
      connections.push({ lastId: headers.get('last-event-id'), signal, send })
      signal.addEventListener('abort', () => controller.error(new DOMException('over', 'AbortError')))
    },
  })
  return new Response(body)
}

function open(options: Partial<StreamOptions> = {}) {
  close = openEventStream({
    path: '/v1/events',
    onEvent: ({ id }) => events.push(id),
    onCaughtUp: () => caughtUp.push(events.length),
    onState: (state) => states.push(state),
    ...options,
  })
}

const settle = () => vi.advanceTimersByTimeAsync(1)
const frame = (id: string) => `id: ${id}\ndata: ${JSON.stringify({ id })}\n\n`
const held = () => connections.filter(({ signal }) => !signal.aborted)

test('a page that nobody sees gives its connection back, and goes on with the last id when it is seen', async () => {
  open()
  await settle()
  connections[0]?.send(frame('7'))
  await settle()
  page.show(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(held()).toHaveLength(0)
  expect(connections).toHaveLength(1)
  page.show(true)
  await settle()
  expect(held().map(({ lastId }) => lastId)).toEqual(['7'])
  expect(states).toEqual(['connecting', 'live', 'resting', 'connecting', 'live'])
  connections[1]?.send(frame('8'))
  await settle()
  expect(events).toEqual(['7', '8'])
})

test('a stream that skips its rests begins anew after one, and goes on with the last id after a loss', async () => {
  open({ skipsRests: true })
  await settle()
  connections[0]?.send(frame('7'))
  await settle()
  page.show(false)
  await vi.advanceTimersByTimeAsync(60_000)
  page.show(true)
  await settle()
  expect(connections.map(({ lastId }) => lastId)).toEqual([null, null])
  connections[1]?.send(frame('9'))
  await settle()
  // A silent connection is given up.
  await vi.advanceTimersByTimeAsync(300_000)
  expect(connections[2]?.lastId).toBe('9')
})

test('a glance at another tab ends nothing', async () => {
  open()
  await settle()
  page.show(false)
  await vi.advanceTimersByTimeAsync(2000)
  page.show(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(held()).toHaveLength(1)
  expect(states).toEqual(['connecting', 'live'])
})

test('a page that is opened in the background rests too', async () => {
  page.hidden = true
  open()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(held()).toHaveLength(0)
  page.show(true)
  await settle()
  expect(held()).toHaveLength(1)
})

test('a stream that is closed while it rests does not come back', async () => {
  open()
  await settle()
  page.show(false)
  await vi.advanceTimersByTimeAsync(60_000)
  close()
  page.show(true)
  await settle()
  expect(held()).toHaveLength(0)
})

test('that all there was has been told is said once the stream says so, not when it begins', async () => {
  open()
  await settle()
  connections[0]?.send('retry: 1000\n\n')
  connections[0]?.send(frame('7') + frame('8'))
  await settle()
  expect([states.at(-1), caughtUp]).toEqual(['live', []])
  connections[0]?.send(': still here\nid: 9\n\n')
  await settle()
  expect(caughtUp).toEqual([2])
})

const refusal = (status: number) => () =>
  Response.json({ detail: 'There is no such job.', code: 'job_not_found' }, { status })

test.each([400, 401, 403, 404])('what our API refuses with status %i is not tried again', async (status) => {
  refusals = [refusal(status)]
  open()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(connections).toHaveLength(0)
  expect(states).toEqual(['connecting', 'refused'])
})

test('what something before our API answers is tried again', async () => {
  refusals = [403, 404, 502].map((status) => () => new Response('<h1>Not now</h1>', { status }))
  open()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(connections).toHaveLength(1)
  expect(states.at(-1)).toBe('live')
})

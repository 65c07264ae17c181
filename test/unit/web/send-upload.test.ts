import { afterEach, beforeEach, expect, test, vi } from 'vitest'

// The typed client beside these is made for the page that it is loaded by.
vi.stubGlobal('location', { origin: 'http://localhost' })
vi.stubGlobal('sessionStorage', { getItem: () => null })
const { sendBytes } = await import('../../../web/views/videos/send-upload.ts')
const { putBytes } = await import('../../../web/views/videos/put-bytes.ts')

/** Of the standard what matters here: before it is sent, nothing is aborted; after it, an event says so. */
class FakeRequest {
  static sent: FakeRequest[] = []
  upload = {}
  status = 0
  url = ''
  isSent = false
  onload = () => {}
  onerror = () => {}
  onabort = () => {}
  onloadend = () => {}

  open(_method: string, url: string) {
    this.url = url
  }
  setRequestHeader() {}
  send() {
    this.isSent = true
    FakeRequest.sent.push(this)
  }
  abort() {
    if (this.isSent) this.end('onabort')
  }
  answer(status: number) {
    this.status = status
    this.end('onload')
  }
  end(how: 'onload' | 'onerror' | 'onabort') {
    this[how]()
    this.onloadend()
  }
}

const asked: string[] = []
/** How the API answers, beside with fresh links: in this order, before it does. */
const troubles: (() => Response)[] = []
const browserSays = { onLine: true }
const page = new EventTarget()
beforeEach(() => {
  FakeRequest.sent = []
  asked.length = 0
  troubles.length = 0
  browserSays.onLine = true
  vi.stubGlobal('XMLHttpRequest', FakeRequest)
  vi.stubGlobal('navigator', browserSays)
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(new URL(url).pathname)
    return troubles.shift()?.() ?? Response.json(uploadIn(4))
  })
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const uploadIn = (parts: number) => ({
  ...({
    uploadId: 'u',
    status: 'waiting',
    method: 'PUT',
    filename: 'a.mp4',
    contentType: 'video/mp4',
  } as const),
  ...{ sizeBytes: parts, error: null, bytesRemovedAt: null },
  ...{ createdAt: '2030-01-01T00:00:00Z', expiresAt: '2030-01-02T00:00:00Z' },
  parts: Array.from({ length: parts }, (_, index) => ({
    ...{ partNumber: index + 1, sizeBytes: 1, url: `http://storage/${index + 1}` },
  })),
})

function start(parts: number) {
  const abort = new AbortController()
  const file = new File(['x'.repeat(parts)], 'a.mp4')
  const options = { sent: new Map(), signal: abort.signal, note: () => {} }
  const ended = sendBytes(uploadIn(parts), file, options).then(
    () => 'sent',
    () => 'stopped',
  )
  return { abort, ended }
}

const sentUrls = () => FakeRequest.sent.map(({ url }) => url)

test('a part that failed is sent again after a wait, by a fresh link', async () => {
  const { ended } = start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toEqual(['/v1/videos/uploads/u/resume'])
  FakeRequest.sent[1]?.answer(200)
  expect(await ended).toBe('sent')
})

const unreachable = () => {
  throw new TypeError('Failed to fetch')
}
const answer = (status: number, headers = {}) => {
  return () => Response.json({ detail: 'No.', code: 'no' }, { status, headers })
}

test('an API that can’t be reached, is busy or breaks for a moment does not end the upload', async () => {
  troubles.push(answer(503), answer(429), ...Array(20).fill(unreachable))
  const { ended } = start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(sentUrls()).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(60_000)
  FakeRequest.sent[1]?.answer(200)
  expect(await ended).toBe('sent')
})

test('an API that goes on to break ends the upload', async () => {
  troubles.push(...Array(20).fill(answer(500)))
  const { ended } = start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await ended).toBe('stopped')
  expect(asked).toHaveLength(3)
})

test('what the API refuses is not asked again', async () => {
  troubles.push(answer(404))
  const { ended } = start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await ended).toBe('stopped')
  expect(asked).toHaveLength(1)
})

test('an API that says how long to wait is not asked before', async () => {
  troubles.push(answer(429, { 'retry-after': '30' }))
  start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(30_900)
  expect(asked).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(200)
  expect(asked).toHaveLength(2)
})

test('failures without a network do not count, and the part goes on as soon as there is one', async () => {
  browserSays.onLine = false
  const { ended } = start(1)
  for (let failure = 0; failure < 10; failure++) {
    FakeRequest.sent[failure]?.end('onerror')
    await vi.advanceTimersByTimeAsync(5000)
  }
  FakeRequest.sent[10]?.end('onerror')
  await vi.advanceTimersByTimeAsync(1)
  expect(sentUrls()).toHaveLength(11)
  browserSays.onLine = true
  page.dispatchEvent(new Event('online'))
  await vi.advanceTimersByTimeAsync(1)
  FakeRequest.sent[11]?.answer(200)
  expect(await ended).toBe('sent')
})

test('an upload is awaited no longer than it can live', async () => {
  troubles.push(...Array(20_000).fill(unreachable))
  const { ended } = start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(86_410_000)
  expect(await ended).toBe('stopped')
})

test('a part that arrived, though its answer was lost, is not sent again', async () => {
  troubles.push(() => Response.json({ ...uploadIn(4), parts: [] }))
  const { ended } = start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(await ended).toBe('sent')
  expect(sentUrls()).toHaveLength(1)
})

test('an upload that is paused while a part waits to be sent again sends nothing more', async () => {
  const { abort, ended } = start(1)
  FakeRequest.sent[0]?.end('onerror')
  await vi.advanceTimersByTimeAsync(1)
  abort.abort()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(sentUrls()).toEqual(['http://storage/1'])
  expect(asked).toEqual([])
  expect(await ended).toBe('stopped')
})

test('an upload that is paused just as a part has arrived does not take the next one', async () => {
  const { abort, ended } = start(4)
  FakeRequest.sent[0]?.answer(200)
  abort.abort()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(sentUrls()).toEqual(['http://storage/1', 'http://storage/2', 'http://storage/3'])
  expect(await ended).toBe('stopped')
})

test('what was stopped before its request began is not sent', async () => {
  const signal = AbortSignal.abort()
  const sending = putBytes('http://storage/1', new Blob(['x']), { signal, onSent: () => {} })
  expect(sentUrls()).toEqual([])
  await expect(sending).rejects.toThrow()
})

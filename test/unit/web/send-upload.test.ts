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
beforeEach(() => {
  FakeRequest.sent = []
  asked.length = 0
  vi.stubGlobal('XMLHttpRequest', FakeRequest)
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(new URL(url).pathname)
    return Response.json(uploadIn(4))
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

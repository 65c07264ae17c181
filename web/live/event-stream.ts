/**
 * Server-sent events over fetch: EventSource can't send the key. A connection that breaks or falls silent is made anew
 * with the last id, so that nothing is missed, after waits that double up to half a minute.
 */
import { ApiProblem, problemOf, sendSigned } from '../api.ts'

export interface StreamEvent {
  id: string
  jobId: string
  eventType: string
  at: string
  payload: Record<string, unknown>
  definitionKey?: string
  queue?: string
}

export type StreamState = 'connecting' | 'live' | 'lost'

export interface StreamOptions {
  path: string
  onEvent(event: StreamEvent): void
  onState(state: StreamState): void
  /** The stream is over: the job has ended. */
  onEnd?(): void
}

const firstWaitMs = 500
const longestWaitMs = 30_000
/** The API says at least every 240 s that it is there; by default every 15. */
const silenceMs = 250_000

/** @returns ends it */
export function openEventStream({ path, onEvent, onState, onEnd }: StreamOptions): () => void {
  const ended = new AbortController()
  void run()
  return () => ended.abort()

  async function run(): Promise<void> {
    let lastId: string | null = null
    let waitMs = firstWaitMs
    onState('connecting')
    while (!ended.signal.aborted) {
      const attempt = new AbortController()
      const stop = () => attempt.abort()
      ended.signal.addEventListener('abort', stop)
      let silence = setTimeout(stop, silenceMs)
      try {
        const response = await sendSigned(path, {
          headers: { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) },
          signal: attempt.signal,
        })
        if (response.status === 204) return onEnd?.()
        if (!response.ok || response.body === null) throw problemOf(await response.text(), response)
        onState('live')
        for await (const frame of framesOf(response.body)) {
          clearTimeout(silence)
          silence = setTimeout(stop, silenceMs)
          waitMs = firstWaitMs
          if (frame.id !== null) lastId = frame.id
          if (frame.data !== null && !ended.signal.aborted) onEvent(JSON.parse(frame.data))
        }
      } catch (error) {
        // What is refused now is refused the next time: no key, no such job.
        if (error instanceof ApiProblem && [400, 401, 403, 404].includes(error.status ?? 0)) {
          if (!ended.signal.aborted) onState('lost')
          return
        }
      } finally {
        clearTimeout(silence)
        ended.signal.removeEventListener('abort', stop)
        attempt.abort()
      }
      if (ended.signal.aborted) return
      onState('lost')
      await pause(waitMs)
      waitMs = Math.min(waitMs * 2, longestWaitMs)
    }
  }

  /** Cut short when the browser is back in the network. */
  async function pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        removeEventListener('online', done)
        ended.signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      addEventListener('online', done)
      ended.signal.addEventListener('abort', done)
    })
  }
}

interface Frame {
  id: string | null
  data: string | null
}

/** WHATWG HTML, 9.2.6, as far as the API makes use of it: `id`, `data`, comments, lines that end with LF. */
async function* framesOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Frame> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + value).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) yield frameOf(block)
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function frameOf(block: string): Frame {
  let id: string | null = null
  const data: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4)
    else if (line.startsWith('data: ')) data.push(line.slice(6))
  }
  return { id, data: data.length === 0 ? null : data.join('\n') }
}

/**
 * Server-sent events over fetch: EventSource can't send the key. A connection that breaks or falls silent is made anew
 * with the last id, so that nothing is missed, after waits that double up to half a minute. While nobody sees the page
 * it rests, and holds no connection.
 */
import { ApiProblem, problemOf, sendSigned } from '../api.ts'
import { watchAbsence } from './absence.ts'

export interface StreamEvent {
  id: string
  jobId: string
  eventType: string
  at: string
  payload: Record<string, unknown>
  definitionKey?: string
  queue?: string
}

/** Lost: it is tried again. Refused: not any more. */
export type StreamState = 'connecting' | 'live' | 'lost' | 'refused' | 'resting'

export interface StreamOptions {
  path: string
  onEvent(event: StreamEvent): void
  /**
   * Where no types are left out: what there was before has been told, all of it. Said again now and then while there is
   * no news.
   */
  onCaughtUp?(): void
  onState(state: StreamState): void
  /** After a rest it begins anew: whoever follows asks otherwise for what came to be meanwhile, which may be much. */
  skipsRests?: boolean
  /** The stream is over: the job has ended. */
  onEnd?(): void
}

const firstWaitMs = 500
const longestWaitMs = 30_000
/** The API says at least every 240 s that it is there; by default every 15. */
const silenceMs = 250_000

/** @returns ends it */
export function openEventStream({
  path,
  onEvent,
  onCaughtUp,
  onState,
  skipsRests = false,
  onEnd,
}: StreamOptions): () => void {
  const ended = new AbortController()
  let attempt: AbortController | undefined
  let isAway = false
  /** Of who waits, for that somebody sees the page again. */
  let comeBack = () => {}
  const unwatch = watchAbsence((next) => {
    isAway = next
    if (isAway) attempt?.abort()
    else comeBack()
  })
  void run().finally(unwatch)
  return () => ended.abort()

  async function run(): Promise<void> {
    let lastId: string | null = null
    let waitMs = firstWaitMs
    onState('connecting')
    while (!ended.signal.aborted) {
      if (isAway) {
        await rest()
        if (skipsRests) lastId = null
        waitMs = firstWaitMs
        continue
      }
      const current = new AbortController()
      attempt = current
      const stop = () => current.abort()
      ended.signal.addEventListener('abort', stop)
      let silence = setTimeout(stop, silenceMs)
      try {
        const response = await sendSigned(path, {
          headers: { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) },
          signal: current.signal,
        })
        if (response.status === 204) return onEnd?.()
        if (!response.ok || response.body === null) throw problemOf(await response.text(), response)
        onState('live')
        for await (const frame of framesOf(response.body)) {
          clearTimeout(silence)
          silence = setTimeout(stop, silenceMs)
          waitMs = firstWaitMs
          if (frame.id !== null) lastId = frame.id
          if (ended.signal.aborted) continue
          if (frame.data !== null) onEvent(JSON.parse(frame.data))
          else if (frame.id !== null) onCaughtUp?.()
        }
      } catch (error) {
        if (error instanceof ApiProblem && isForGood(error)) {
          if (!ended.signal.aborted) onState('refused')
          return
        }
      } finally {
        clearTimeout(silence)
        ended.signal.removeEventListener('abort', stop)
        current.abort()
      }
      if (ended.signal.aborted) return
      if (isAway) continue
      onState('lost')
      await pause(waitMs)
      waitMs = Math.min(waitMs * 2, longestWaitMs)
    }
  }

  /** Until somebody sees the page, or nobody wants the stream any more. */
  async function rest(): Promise<void> {
    onState('resting')
    await new Promise<void>((resolve) => {
      comeBack = resolve
      ended.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    if (!ended.signal.aborted) onState('connecting')
  }

  /** Cut short when the browser is back in the network, or the page before somebody's eyes. */
  async function pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        removeEventListener('online', done)
        ended.signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      comeBack = done
      addEventListener('online', done)
      ended.signal.addEventListener('abort', done)
    })
  }
}

/** What our API refuses now it refuses the next time: no key, no such job. A proxy before it may come to itself. */
function isForGood({ status, code }: ApiProblem): boolean {
  return code !== 'unexpected' && [400, 401, 403, 404].includes(status ?? 0)
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

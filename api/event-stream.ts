/**
 * Server-sent events (WHATWG HTML, 9.2). Each carries the cursor behind it as its id, which a client that comes back
 * gives as Last-Event-ID. The stream is pulled: nothing is made before the client has taken what came before, and one
 * that takes nothing while four heartbeats would have come is cut off. One whose key has been revoked meanwhile ends behind
 * the next heartbeat: the client comes back, and hears why it is not let in.
 */
import type { Context, TypedResponse } from 'hono'
import { cursorText } from '../core/events/cursor.ts'
import type { Step } from '../core/events/follow.ts'
import type { StreamItem } from '../core/events/read.ts'
import type { ApiEnv } from './app.ts'
import type { OpenAnswers } from './open-answers.ts'

/** The typed client's `json()` gives what the route's other answers give. */
type NotJson = Response & TypedResponse<never, 200 | 204, 'text'>

const stallBeats = 4
const reconnectMs = 1000

/**
 * @param abort ends the steps when the client is gone or the time is up
 * @param streams counts it among those of the caller, from its beginning to its end
 * @throws RequestProblem rate_limited
 */
export function eventStream(
  c: Context<ApiEnv>,
  steps: AsyncGenerator<Step>,
  { abort, heartbeatMs, streams }: { abort: AbortController; heartbeatMs: number; streams: OpenAnswers },
): NotJson {
  streams.check(c)
  const encoder = new TextEncoder()
  let stall: NodeJS.Timeout | undefined
  let askedAt = performance.now()
  let isFirst = true
  let isGone = false
  let isStopped = false
  let leave = () => {}

  function stop(): void {
    isStopped = true
    clearTimeout(stall)
    leave()
    leave = () => {}
    abort.abort()
    // Where it waits, the signal ends it; where it rests, this does.
    void steps.return(undefined)
  }

  /** With each heartbeat or as often, beside what is sent: a database that does not answer says nothing against the key. */
  function askWhetherGood(): void {
    if (performance.now() < askedAt + heartbeatMs / 2) return
    askedAt = performance.now()
    c.var.stillGood().then(
      (isGood) => isGood || abort.abort(),
      () => {},
    )
  }

  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stall)
        try {
          // Not before: a body that nobody takes, as that of an answer to HEAD, would be counted for ever.
          if (isFirst && !isStopped) leave = streams.enter(c)
          // The head of the answer goes out with the first bytes.
          const frame = isFirst ? `retry: ${reconnectMs}\n\n` : await nextFrame(steps)
          isFirst = false
          if (isGone) return
          if (frame === null) {
            stop()
            controller.close()
            return
          }
          controller.enqueue(encoder.encode(frame))
          askWhetherGood()
          stall = setTimeout(() => {
            isGone = true
            stop()
            controller.error(new Error('The client takes nothing.'))
          }, stallBeats * heartbeatMs)
        } catch (error) {
          c.var.log.warn({ err: error }, 'stream.broken')
          stop()
          controller.error(error)
        }
      },
      cancel() {
        isGone = true
        stop()
      },
    },
    { highWaterMark: 0 },
  )
  c.req.raw.signal.addEventListener('abort', stop)
  return c.body(stream, 200, {
    'content-type': 'text/event-stream; charset=utf-8',
    // nginx would hold it back.
    'x-accel-buffering': 'no',
  }) as Response as NotJson
}

/** To who comes back to a stream that is over: browsers then come no more. */
export function noMoreEvents(c: Context<ApiEnv>): NotJson {
  return c.body(null, 204) as Response as NotJson
}

async function nextFrame(steps: AsyncGenerator<Step>): Promise<string | null> {
  const { done, value } = await steps.next()
  if (done) return null
  const id = `id: ${cursorText(value.cursor)}\n`
  // Without data nothing is dispatched, but the client notes the id.
  return value.item === null ? `: still here\n${id}\n` : `${id}data: ${dataOf(value.item)}\n\n`
}

/** Many streams send the same item. */
const texts = new WeakMap<StreamItem, string>()

function dataOf(item: StreamItem): string {
  const known = texts.get(item)
  if (known !== undefined) return known
  const text = JSON.stringify(viewItem(item))
  texts.set(item, text)
  return text
}

export function viewItem({ xid: _xid, sizeBytes: _sizeBytes, definitionKey, queue, ...item }: StreamItem) {
  return definitionKey === null ? item : { ...item, definitionKey, queue }
}

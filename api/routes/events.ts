/** What happens to jobs: as a list, as pages to poll, as a stream. */
import { Hono } from 'hono'
import { z } from 'zod'
import { isInternal } from '../../core/definitions/internal.ts'
import { JobNotFound } from '../../core/errors.ts'
import { beginning, cursorText, type EventCursor, parseCursor } from '../../core/events/cursor.ts'
import { type FollowRequest, follow, type Step } from '../../core/events/follow.ts'
import {
  cursorOfNow,
  readAllPage,
  readJobPage,
  type StreamItem,
  usableCursor,
} from '../../core/events/read.ts'
import { isFinal, jobStatuses } from '../../core/job-state.ts'
import { definitionOf, statusIfAny } from '../../core/queue/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { eventStream, noMoreEvents, viewItem } from '../event-stream.ts'
import { mayAs } from '../middleware/scopes.ts'
import type { OpenAnswers } from '../open-answers.ts'
import { operation } from '../openapi/operation.ts'
import { withoutAnswer } from '../own-jobs.ts'
import { id, validate, validateHeaders } from '../validate.ts'
import {
  AllQuery,
  exampleEvent,
  JobQuery,
  pageBytes,
  pageFields,
  pageItems,
  StreamHeaders,
} from './event-answers.ts'
import { exampleId } from './job-answers.ts'

const JobParam = z.object({ jobId: id })

const streamed =
  'With `Accept: text/event-stream` as server-sent events: each has one of these events as its data and a cursor as its id.'

export function eventRoutes({ sql, events, config, streams }: AppDependencies & { streams: OpenAnswers }) {
  const heartbeatMs = config.STREAM_HEARTBEAT_SECONDS * 1000
  const open = (request: Pick<FollowRequest, 'jobId' | 'logs' | 'from'>) => {
    const abort = new AbortController()
    return { abort, steps: follow(sql, events, { ...request, heartbeatMs, signal: abort.signal }) }
  }

  /** A cursor may be of another database's counting: then it is as if none were given. */
  const usable = async (given: EventCursor | undefined) =>
    given === undefined ? null : await usableCursor(sql, given)

  return new Hono<ApiEnv>()
    .get(
      '/jobs/:jobId/events',
      operation({
        summary: 'Events of a job',
        description: `All of them, oldest first; with \`limit\` or \`after\` a page. ${streamed} The stream has the lines of the job's log too unless \`logs=false\`, and ends with the job; who comes back after that gets 204.`,
        answers: {
          200: {
            description: 'Oldest first.',
            schema: z.object({ jobId: z.uuid(), ...pageFields }),
            example: { jobId: exampleId, events: [exampleEvent], cursor: '7512:7512:', more: false },
          },
          204: { description: 'To who comes back to a stream that is over.' },
        },
        problems: ['job_not_found'],
      }),
      validate('param', JobParam),
      validateHeaders(StreamHeaders),
      validate('query', JobQuery),
      async (c) => {
        const { jobId } = c.req.valid('param')
        const { types, after, limit, logs } = c.req.valid('query')
        // Before the events: once it is final, the last of them is there.
        const status = await statusIfAny(sql, jobId)
        if (status === null) throw new JobNotFound(jobId)
        const wants = ({ eventType }: StreamItem) => types?.has(eventType) ?? true
        const definitionKey = mayAs(c.var.caller, 'admin') ? null : await definitionOf(sql, jobId)
        const shown = (item: StreamItem) => withoutAnswer(item, definitionKey)
        const from = (await usable(lastEventId(c.req.header('last-event-id')) ?? after)) ?? beginning
        if (wantsStream(c.req.header('accept'))) {
          const scope = { jobId, logs: logs ?? true }
          if (isFinal(status) && from !== beginning) {
            const rest = await readJobPage(sql, scope, from, { items: 1, bytes: 1 })
            if (rest.items.length === 0) return noMoreEvents(c)
          }
          const { abort, steps } = open({ ...scope, from })
          const whole = untilOver(steps, isFinal(status), () => isOver(jobId))
          return eventStream(c, only(whole, { wants, shown, heartbeatMs }), { abort, heartbeatMs, streams })
        }
        const isWhole = limit === undefined && after === undefined
        const pageLimit = { items: limit ?? pageItems, bytes: pageBytes }
        let page = await readJobPage(sql, { jobId, logs: logs ?? false }, from, pageLimit)
        const items = page.items
        while (isWhole && !page.isLast) {
          page = await readJobPage(sql, { jobId, logs: logs ?? false }, page.cursor, pageLimit)
          items.push(...page.items)
        }
        const events = items.filter(wants).map(shown).map(viewItem)
        return c.json({ jobId, events, cursor: cursorText(page.cursor), more: !page.isLast })
      },
    )
    .get(
      '/events',
      operation({
        summary: 'Events of all jobs',
        description: `A page of what came after a cursor; without one there are no events, but a cursor to begin with. ${streamed} The lines of logs come with \`logs=true\`.`,
        answers: {
          200: {
            description: 'Oldest first.',
            schema: z.object(pageFields),
            example: {
              events: [{ ...exampleEvent, definitionKey: 'echo', queue: 'default' }],
              cursor: '7512:7512:',
              more: false,
            },
          },
        },
      }),
      validateHeaders(StreamHeaders),
      validate('query', AllQuery),
      async (c) => {
        const { definitionKey, queue, types, after, limit, logs = false } = c.req.valid('query')
        const wants = (item: StreamItem) =>
          (types?.has(item.eventType) ?? true) &&
          (definitionKey === undefined
            ? queue !== undefined || !isInternal(item.definitionKey)
            : item.definitionKey === definitionKey) &&
          (queue === undefined || item.queue === queue)
        const seesAnswers = mayAs(c.var.caller, 'admin')
        const shown = (item: StreamItem) => (seesAnswers ? item : withoutAnswer(item, item.definitionKey))
        const given = await usable(lastEventId(c.req.header('last-event-id')) ?? after)
        const from = given ?? (await cursorOfNow(sql))
        if (wantsStream(c.req.header('accept'))) {
          const { abort, steps } = open({ logs, from })
          return eventStream(c, only(steps, { wants, shown, heartbeatMs }), { abort, heartbeatMs, streams })
        }
        const pageLimit = { items: limit ?? pageItems, bytes: pageBytes }
        const page =
          given === null
            ? { items: [], cursor: from, isLast: true }
            : await readAllPage(sql, { logs, origin: true }, from, pageLimit)
        const events = page.items.filter(wants).map(shown).map(viewItem)
        return c.json({ events, cursor: cursorText(page.cursor), more: !page.isLast })
      },
    )

  /** A job may call events of its own by any name. */
  async function isOver(jobId: string): Promise<boolean> {
    const status = await statusIfAny(sql, jobId)
    return status === null || isFinal(status)
  }
}

/** Parsed before by `validateHeaders`. */
function lastEventId(header: string | undefined): EventCursor | undefined {
  return header === undefined ? undefined : (parseCursor(header) ?? undefined)
}

function wantsStream(accept = ''): boolean {
  return accept.split(',').some((range) => range.split(';')[0]?.trim().toLowerCase() === 'text/event-stream')
}

/** The stream of a job up to its end; what was written before with the end or after it comes too. */
async function* untilOver(
  steps: AsyncGenerator<Step>,
  wasFinal: boolean,
  over: () => Promise<boolean>,
): AsyncGenerator<Step> {
  let isDone = wasFinal
  for await (const step of steps) {
    yield step
    if (step.item !== null && isEnd(step.item)) isDone ||= await over()
    if (isDone && (step.isLive || step.item === null)) return
  }
}

function isEnd({ eventType }: StreamItem): boolean {
  return jobStatuses.some((status) => status === eventType && isFinal(status))
}

/** What is not wanted is passed over; where there is much of it, how far the stream has come is told meanwhile. */
async function* only(
  steps: AsyncGenerator<Step>,
  {
    wants,
    shown,
    heartbeatMs,
  }: {
    wants: (item: StreamItem) => boolean
    shown: (item: StreamItem) => StreamItem
    heartbeatMs: number
  },
): AsyncGenerator<Step> {
  let toldAt = performance.now()
  for await (const step of steps) {
    const isWanted = step.item === null || wants(step.item)
    if (!isWanted && performance.now() < toldAt + heartbeatMs) continue
    yield { ...step, item: step.item !== null && isWanted ? shown(step.item) : null }
    toldAt = performance.now()
  }
}

/**
 * Follows what happens to jobs and enqueues what webhooks are to be told of it.
 *
 *   webhook_cursor ──► events beyond it ──► deliveries and their jobs, health of webhooks ──► webhook_cursor
 *   └───────────────────────────────── one transaction a page ─────────────────────────────────────────┘
 *
 * So each event is told once to each webhook, whoever dies when; who dies leaves the page to the next. The cursor is one
 * of the event stream: it knows the transactions that were seen, so an event that is committed late is found late. Read
 * from the events and not written with them, as a job's end must cost the same whether or not somebody listens.
 */

import { endWhenStill, type Pool, type Sql } from '../db.ts'
import { isInternal } from '../definitions/internal.ts'
import { cursorText, type EventCursor, parseCursor } from '../events/cursor.ts'
import { cursorOfNow, type Page, readAllPage, type StreamItem, usableCursor } from '../events/read.ts'
import { parseSnapshot, type Snapshot, sees, union } from '../events/snapshot.ts'
import { hintWork } from '../queue/wake.ts'
import { cancelDeliveries } from './cancel-deliveries.ts'
import { enqueueDeliveries, type Outgoing } from './enqueue-deliveries.ts'
import { noteOutcomes, type Outcome } from './health.ts'
import { bodyOf } from './payload.ts'
import { finalEventTypes, type WebhookEventType, webhookEventTypes } from './row.ts'
import { readToldJobs, type TellableJob } from './told-jobs.ts'

export interface DispatchOptions {
  /** Waits between the attempts of a delivery. */
  retrySeconds: number[]
  disableAfterSeconds: number
}

export interface Dispatched {
  deliveries: number
  /** Webhooks that were disabled. */
  disabled: string[]
}

/** Of one page and all webhooks: that is what a transaction holds. */
const mostDeliveries = 1000
const mostItems = 500
const pageBytes = 1024 ** 2
/** Types of events without the prefix that webhooks give them. */
const eventTypes = webhookEventTypes.map((type) => type.slice('job.'.length))
/** Far above what a page takes. */
const standstillSeconds = 30

/**
 * Tells of everything there is now. Any number may try at once; one does it.
 * @param signal to stop: what is left is for the next who looks
 */
export async function dispatchWebhooks(
  sql: Pool,
  options: DispatchOptions,
  signal?: AbortSignal,
): Promise<Dispatched> {
  const dispatched: Dispatched = { deliveries: 0, disabled: [] }
  for (let isMore = true; isMore && !signal?.aborted; ) {
    const passed = await sql.begin((tx) => dispatchPage(tx, options))
    if (passed.deliveries > 0) hintWork(sql)
    for (const id of passed.disabled) await cancelDeliveries(sql, id)
    dispatched.deliveries += passed.deliveries
    dispatched.disabled.push(...passed.disabled)
    isMore = passed.isMore
  }
  return dispatched
}

interface Listener {
  id: string
  eventTypes: WebhookEventType[]
  definitionKey: string | null
  queue: string | null
  tag: string | null
  since: Snapshot
}

async function dispatchPage(
  tx: Sql,
  { retrySeconds, disableAfterSeconds }: DispatchOptions,
): Promise<Dispatched & { isMore: boolean }> {
  const nothing = { deliveries: 0, disabled: [], isMore: false }
  const [turn] = await tx<{ mine: boolean }[]>`
    select pg_try_advisory_xact_lock(hashtextextended('job-server.webhooks', 0)) as mine, ${endWhenStill(tx, standstillSeconds)}`
  if (!turn?.mine) return nothing
  const from = await whereToBegin(tx)
  if (from === null) return nothing
  const limit = {
    items: Math.max(1, Math.min(mostItems, Math.floor(mostDeliveries / (from.listeners + 1)))),
    bytes: pageBytes,
  }
  const page = await readAllPage(
    tx,
    { logs: false, origin: false, serverTypes: eventTypes },
    from.cursor,
    limit,
  )
  // After the page, which may hold events of before or behind the making of a webhook: one that was made in between
  // and is not seen would never be told of them. For the same reason the page has events of all types.
  const listeners = await readListeners(tx)
  const items = page.items.filter(wantedBy(listeners))
  const jobs = await readToldJobs(tx, [...new Set(items.map(({ jobId }) => jobId))])
  const outgoing = items.flatMap((item) => {
    const job = jobs.get(item.jobId)
    return job === undefined || isInternal(job.told.definitionKey) ? [] : messagesOf(item, job, listeners)
  })
  await enqueueDeliveries(tx, outgoing, { maxAttempts: retrySeconds.length + 1 })
  await markTold(
    tx,
    outgoing.flatMap(({ webhookId, jobId }) => (webhookId === null && jobId !== null ? [jobId] : [])),
  )
  const disabled = await noteOutcomes(tx, outcomesIn(items, jobs), { disableAfterSeconds })
  await moveOn(tx, from.position, page)
  return { deliveries: outgoing.length, disabled, isMore: !page.isLast }
}

async function readListeners(tx: Sql): Promise<Listener[]> {
  const rows = await tx<(Omit<Listener, 'since'> & { since: string })[]>`
    select id, event_types, definition_key, queue, tag, since::text from job_server.webhooks where enabled`
  return rows.map(({ since, ...listener }) => ({ ...listener, since: snapshotOf(since) }))
}

interface Beginning {
  position: string
  cursor: EventCursor
  /** How many webhooks are enabled. */
  listeners: number
}

/**
 * Behind the last page; and where nobody listened for a while, not before somebody did.
 * @returns null when nobody listens
 */
async function whereToBegin(tx: Sql): Promise<Beginning | null> {
  // job_webhooks_pending_idx. The order is that of the numbers: by its bare name it would be that of the text beside it.
  const [row] = await tx<{ position: string; listeners: number; first: string | null }[]>`
    select
      position,
      (select count(*)::int from job_server.webhooks where enabled) as listeners,
      (
        select follower.since_xmin::text from (
          select pg_snapshot_xmin(since) as since_xmin from job_server.webhooks where enabled
          union all
          (
            select pg_snapshot_xmin(since) from job_server.job_webhooks
            where told_at is null
            order by pg_snapshot_xmin(since)
            limit 1
          )
        ) as follower
        order by follower.since_xmin
        limit 1
      ) as first
    from job_server.webhook_cursor`
  if (row === undefined || row.first === null) return null
  const { position, listeners } = row
  const parsed = parseCursor(position)
  const usable = parsed === null ? null : await usableCursor(tx, parsed)
  if (usable === null) return { position, listeners, cursor: await beginAnew(tx) }
  const first = BigInt(row.first)
  const seen = union(usable.seen, { xmin: first, xmax: first, running: [] })
  return { position, listeners, cursor: { ...usable, seen } }
}

/** The database counts its transactions anew, as after a restore from a dump: what was seen is not known any more. */
async function beginAnew(tx: Sql): Promise<EventCursor> {
  await tx`update job_server.webhooks set since = pg_current_snapshot()`
  await tx`update job_server.job_webhooks set since = pg_current_snapshot() where told_at is null`
  return await cursorOfNow(tx)
}

/** Some webhook's types; ends always, for the addresses of jobs and the health of webhooks. */
function wantedBy(listeners: Listener[]): (item: StreamItem) => boolean {
  const wanted = new Set<string>([
    ...listeners.flatMap(({ eventTypes }) => eventTypes),
    ...finalEventTypes,
    'job.retry_scheduled',
  ])
  return ({ eventType }) => wanted.has(`job.${eventType}`)
}

function messagesOf(item: StreamItem, job: TellableJob, listeners: Listener[]): Outgoing[] {
  const eventType = `job.${item.eventType}` as WebhookEventType
  const body = bodyOf(eventType, item, job.told)
  const message = { jobId: item.jobId, eventId: item.id, eventType, body }
  const isEnd = finalEventTypes.some((type) => type === eventType)
  return [
    ...listeners
      .filter((listener) => wants(listener, eventType, item, job))
      .map(({ id }) => ({ ...message, webhookId: id, url: null })),
    ...(isEnd && job.webhookUrl !== null ? [{ ...message, webhookId: null, url: job.webhookUrl }] : []),
  ]
}

function wants(
  listener: Listener,
  type: WebhookEventType,
  { xid }: StreamItem,
  { told }: TellableJob,
): boolean {
  return (
    listener.eventTypes.includes(type) &&
    !sees(listener.since, xid) &&
    (listener.definitionKey === null || listener.definitionKey === told.definitionKey) &&
    (listener.queue === null || listener.queue === told.queue) &&
    (listener.tag === null || told.tags.includes(listener.tag))
  )
}

/** Of the deliveries among the jobs; a cancelled one says nothing about its endpoint. */
function outcomesIn(items: StreamItem[], jobs: Map<string, TellableJob>): Outcome[] {
  return items.flatMap(({ jobId, eventType, at, payload }) => {
    const webhookId = jobs.get(jobId)?.deliversTo ?? null
    if (webhookId === null || !['succeeded', 'failed', 'retry_scheduled'].includes(eventType)) return []
    return [
      { webhookId, at, succeeded: eventType === 'succeeded', gone: payload.errorCode === 'endpoint_gone' },
    ]
  })
}

async function markTold(tx: Sql, jobIds: string[]): Promise<void> {
  if (jobIds.length === 0) return
  await tx`update job_server.job_webhooks set told_at = now() where job_id = any(${jobIds}::uuid[])`
}

async function moveOn(tx: Sql, from: string, { cursor }: Page): Promise<void> {
  const moved = await tx`
    update job_server.webhook_cursor set position = ${cursorText(cursor)} where position = ${from}`
  if (moved.count === 0) throw new Error('another has read on from the same place')
}

function snapshotOf(text: string): Snapshot {
  const snapshot = parseSnapshot(text)
  if (snapshot === null) throw new Error(`PostgreSQL gave a snapshot of another form: ${text}`)
  return snapshot
}

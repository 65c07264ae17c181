/**
 * Reads events and logs as one stream: what a reader has not read, by its cursor. Within what one look finds, ids give
 * the order: two transactions that write about the same job take turns by its row, and ids with it.
 */
import type { Fragment, Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'
import type { EventCursor } from './cursor.ts'
import { below, parseSnapshot, type Snapshot, snapshotText, union } from './snapshot.ts'

/** An event, or a line of a job's log: that is of the type `log`. */
export interface StreamItem {
  id: string
  jobId: string
  eventType: string
  at: Date
  payload: JsonObject
  /** Transaction that wrote it. */
  xid: bigint
  /** Of the payload. */
  sizeBytes: number
  /** Null where they were not asked for, or the job is gone. */
  definitionKey: string | null
  queue: string | null
}

/** What one look found: that which `snapshot` saw beyond the cursor that was given, or a part of it. */
export interface Page {
  /** Ascending by id. */
  items: StreamItem[]
  snapshot: Snapshot
  /** Behind the last item. */
  cursor: EventCursor
  /** Nothing more was there when it was read. */
  isLast: boolean
}

export interface PageLimit {
  items: number
  /** Of payloads; what goes over it is the last. */
  bytes: number
}

/** @returns the cursor of who has read all there is */
export async function cursorOfNow(sql: Sql): Promise<EventCursor> {
  return { seen: await currentSnapshot(sql) }
}

/** The cursor, unless it is of another database's counting of transactions: as after a restore from a dump. */
export async function usableCursor(sql: Sql, cursor: EventCursor): Promise<EventCursor | null> {
  const { xmax } = await currentSnapshot(sql)
  const isOfNow = cursor.seen.xmax <= xmax && (cursor.partial?.snapshot.xmax ?? 0n) <= xmax
  return isOfNow ? cursor : null
}

async function currentSnapshot(sql: Sql): Promise<Snapshot> {
  const [row] = await sql<{ snapshot: string }[]>`select pg_current_snapshot()::text as snapshot`
  return snapshotOf(row?.snapshot)
}

/**
 * The limit for the page after this one. Sizes are not known before they are read: where few items filled a page, not
 * many more than those are looked at for the next.
 */
export function limitAfter(page: Page, limit: PageLimit, most: number): PageLimit {
  const items = page.items.length === limit.items || page.isLast ? limit.items * 2 : page.items.length * 2
  return { ...limit, items: Math.min(Math.max(items, 8), most) }
}

export interface JobScope {
  jobId: string
  logs: boolean
}

/** The next items of a job. */
export async function readJobPage(
  sql: Sql,
  { jobId, logs }: JobScope,
  { seen, partial }: EventCursor,
  limit: PageLimit,
): Promise<Page> {
  // A page that is not whole fixes what it is a part of; the pages after it come from the same. events_pk, logs_pk.
  const written = sql`
    select * from (
      ${itemColumns(sql, 'events')} where job_id = ${jobId}
      ${logs ? sql`union all ${itemColumns(sql, 'logs')} where job_id = ${jobId}` : sql``}
    ) as written
    where id > ${String(partial?.upTo ?? 0n)}
      and pg_visible_in_snapshot(xid, snapshot) and not pg_visible_in_snapshot(xid, ${snapshotText(seen)}::pg_snapshot)
    order by id
    limit ${limit.items + 1}`
  const rows = await sql<Row[]>`
    with look as (${look(sql, partial)})
    select snapshot::text, item.*, null as definition_key, null as queue
    from look left join lateral (${fitting(sql, written, sql`id`, limit)}) as item on true
    order by id`
  const { snapshot, items, next } = foundIn(rows)
  if (next === undefined) return { ...wholePage(items, seen, snapshot), isLast: partial === undefined }
  return partPage(items, seen, snapshot)
}

/** What of all jobs is asked for. */
export interface AllScope {
  /** Only of these jobs, and with or without logs. */
  jobIds?: string[]
  logs: boolean
  /** Only the server's own events, of these types: not what jobs report, whatever they call it. */
  serverTypes?: string[]
  /** Look up definition and queue. */
  origin: boolean
  /** Leave out what was written longer ago than this, and committed only now. */
  maxAgeSeconds?: number
}

/**
 * The next items of all jobs. Where more has come than fits, transactions are taken in the order they began in, as the
 * index has them: what then is in order within a page need not be between pages that overlapped.
 */
export async function readAllPage(
  sql: Sql,
  scope: AllScope,
  { seen, partial }: EventCursor,
  limit: PageLimit,
): Promise<Page> {
  const order = partial === undefined ? sql`xid, id` : sql`id`
  const wanted = sql`
    pg_visible_in_snapshot(xid, snapshot) and id > ${String(partial?.upTo ?? 0n)}
    ${scope.jobIds === undefined ? sql`` : sql`and job_id = any(${scope.jobIds}::uuid[])`}
    ${scope.maxAgeSeconds === undefined ? sql`` : sql`and at > now() - make_interval(secs => ${scope.maxAgeSeconds})`}`
  // events_xid_idx, logs_xid_idx: what came after the snapshot, and the few that were under way in it. The upper bound
  // leaves out what came with a dump from a database that counts further.
  const began = sql`xid >= ${String(seen.xmax)}::xid8 and xid < pg_snapshot_xmax(snapshot)`
  const wasRunning = sql`xid = any(${seen.running.map(String)}::xid8[])`
  const ofTypes = (table: 'events' | 'logs') =>
    scope.serverTypes === undefined || table === 'logs'
      ? sql``
      : sql`and event_type = any(${scope.serverTypes}::text[]) and not is_own`
  const tables = scope.logs ? (['events', 'logs'] as const) : (['events'] as const)
  const ranges = seen.running.length === 0 ? [began] : [began, wasRunning]
  const branches = tables.flatMap((table) =>
    ranges.map(
      (range) =>
        sql`(${itemColumns(sql, table)} where ${range} and ${wanted} ${ofTypes(table)} order by ${order} limit ${limit.items + 1})`,
    ),
  )
  const written = sql`
    select * from (${branches.map((branch, place) => (place === 0 ? branch : sql`union all ${branch}`))}) as written
    order by ${order}
    limit ${limit.items + 1}`
  const rows = await sql<Row[]>`
    with look as materialized (${look(sql, partial)})
    select snapshot::text, item.*, ${scope.origin ? sql`origin.*` : sql`null as definition_key, null as queue`}
    from look
    left join lateral (${fitting(sql, written, order, limit)}) as item on true
    ${scope.origin ? originOf(sql) : sql``}
    order by ${order}`
  const { snapshot, items, next } = foundIn(rows)
  if (next === undefined) return { ...wholePage(items, seen, snapshot), isLast: partial === undefined }
  if (partial !== undefined) return partPage(items, seen, snapshot)
  // Whole transactions, if it can be.
  const whole = items.filter(({ xid }) => xid < next.xid)
  if (whole.length > 0) return { ...wholePage(whole, seen, below(snapshot, next.xid)), isLast: false }
  return partPage(items, seen, below(snapshot, next.xid + 1n))
}

interface Row extends Omit<StreamItem, 'xid' | 'id'> {
  snapshot: string
  /** Null in the one row of an empty page. */
  id: string | null
  xid: string
  fits: boolean
}

function look(sql: Sql, partial: EventCursor['partial']) {
  const given = partial === undefined ? null : snapshotText(partial.snapshot)
  return sql`select coalesce(${given}::pg_snapshot, pg_current_snapshot()) as snapshot`
}

function itemColumns(sql: Sql, table: 'events' | 'logs') {
  return table === 'events'
    ? sql`select id, job_id, event_type, at, payload, xid from job_server.events`
    : sql`
      select
        id, job_id, 'log' as event_type, at,
        jsonb_build_object('stream', stream, 'level', level, 'text', text, 'fields', fields) as payload, xid
      from job_server.logs`
}

/** Those that fit into the page, and the first that does not, without what is in it. */
function fitting(sql: Sql, written: Fragment, order: Fragment, limit: PageLimit) {
  return sql`
    select id, job_id, event_type, at, case when fits then payload else '{}' end as payload, xid, size_bytes, fits
    from (
      select *, lag(fits, 1, true) over (order by ${order}) as fitted
      from (
        select
          *,
          row_number() over (order by ${order}) <= ${limit.items}
            and sum(size_bytes) over (order by ${order}) - size_bytes < ${limit.bytes} as fits
        from (select *, octet_length(payload::text) as size_bytes from (${written}) as written) as sized
      ) as measured
    ) as marked
    where fits or fitted`
}

function originOf(sql: Sql) {
  return sql`
    left join lateral (
      select definition_key, queue from job_server.jobs where jobs.id = item.job_id
      union all
      select definition_key, queue from job_server.job_history where job_history.id = item.job_id
      limit 1
    ) as origin on true`
}

function foundIn(rows: Row[]): { snapshot: Snapshot; items: StreamItem[]; next: StreamItem | undefined } {
  const found = rows.flatMap(({ snapshot: _snapshot, id, xid, ...item }) =>
    id === null ? [] : [{ ...item, id, xid: BigInt(xid) }],
  )
  const items = found.filter(({ fits }) => fits).map(({ fits: _fits, ...item }) => item)
  return { snapshot: snapshotOf(rows[0]?.snapshot), items, next: found[items.length] }
}

function wholePage(items: StreamItem[], seen: Snapshot, snapshot: Snapshot): Omit<Page, 'isLast'> {
  return { items: byId(items), snapshot, cursor: { seen: union(seen, snapshot) } }
}

function partPage(items: StreamItem[], seen: Snapshot, snapshot: Snapshot): Page {
  const ordered = byId(items)
  const upTo = BigInt(ordered.at(-1)?.id ?? 0)
  return { items: ordered, snapshot, cursor: { seen, partial: { snapshot, upTo } }, isLast: false }
}

function byId(items: StreamItem[]): StreamItem[] {
  return [...items].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1))
}

function snapshotOf(text: string | undefined): Snapshot {
  const snapshot = parseSnapshot(text ?? '')
  if (snapshot === null) throw new Error(`PostgreSQL gave a snapshot of another form: ${text}`)
  return snapshot
}

/**
 * Hints over NOTIFY: there may be work, or a job should be looked at. Hints of one pool are coalesced, because
 * NOTIFY takes a database-wide lock at commit and thousands a second would stall every writer. They are sent
 * after the fact and may be lost: workers poll as well.
 */
import type { Pool, Sql } from '../db.ts'

export const workChannel = 'job_server_work'
export const cancelChannel = 'job_server_cancel'
export const watchChannel = 'job_server_watch'

const coalesceMs = 5

interface Hints {
  /** `performance.now()` of the last one. */
  sentAt: number
  timer: NodeJS.Timeout | undefined
  sending: Promise<void>
}
const hintsOf = new WeakMap<Pool, Hints>()

/**
 * Tells idle workers to look for work: at once after a silence, and then every few milliseconds at most. Inside a
 * transaction it does nothing: the commit is not ours to see.
 */
export function hintWork(sql: Sql): void {
  if (!isPool(sql)) return
  const never = { sentAt: Number.NEGATIVE_INFINITY, timer: undefined, sending: Promise.resolve() }
  const hints: Hints = hintsOf.get(sql) ?? never
  hintsOf.set(sql, hints)
  if (hints.timer !== undefined) return
  const earlyMs = hints.sentAt + coalesceMs - performance.now()
  if (earlyMs > 0) hints.timer = setTimeout(() => send(sql, hints), earlyMs)
  else send(sql, hints)
}

/** Resolves when the last hint is sent: for a process that is about to end. */
export async function flushHints(sql: Pool): Promise<void> {
  const hints = hintsOf.get(sql)
  if (hints === undefined) return
  if (hints.timer !== undefined) {
    clearTimeout(hints.timer)
    send(sql, hints)
  }
  await hints.sending
}

/** Nobody waits for the disk: a hint tells of what is committed already, and is nothing that a crash could lose. */
function send(sql: Pool, hints: Hints): void {
  hints.timer = undefined
  hints.sentAt = performance.now()
  const sent = sql`select set_config('synchronous_commit', 'off', true), pg_notify(${workChannel}, '')`
  // A lost one costs one poll interval, and a pool that was just closed needs none.
  hints.sending = sent.then(
    () => {},
    () => {},
  )
}

/** Tells the owners of running jobs that these are to be cancelled. */
export async function hintCancel(sql: Sql, jobIds: string[]): Promise<void> {
  if (jobIds.length === 0) return
  await sql`select pg_notify(${cancelChannel}, id) from unnest(${jobIds}::text[]) as given (id)`
}

/** A listener says something to itself, to know that it still hears. */
export async function notifyWatch(sql: Sql, workerId: string): Promise<void> {
  await sql`select pg_notify(${watchChannel}, ${workerId})`
}

/** Whether it is a pool, rather than a transaction of somebody's. */
export function isPool(sql: Sql): sql is Pool {
  return 'begin' in sql
}

/**
 * Opens the pools to PostgreSQL. postgres.js is mended by a patch of ours (patches/): what it was asked to send when the
 * connection had just closed threw outside of any promise, and ended the process, or was sent before the greeting of the
 * next connection. A connection that is closed is destroyed when the other side does not close it within a second, and one
 * whose `idle_timeout` is over is not used, even where its timer has had no turn.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import type { Config } from './config.ts'
import { passwordOf } from './db-auth.ts'
import { ReadTooLong } from './errors.ts'

/** A pool or a transaction: what every statement of ours takes. */
export type Sql = postgres.Sql | postgres.TransactionSql
export type Pool = postgres.Sql
/** A part of a statement. */
export type Fragment = postgres.PendingQuery<postgres.Row[]>

/**
 * Column names arrive in camelCase; values, and so the keys inside users' jsonb, stay as they are.
 * Statements are not prepared before `prepareWhereDirect`: a pooler in transaction mode may stand between.
 * @param options.idleSeconds after which an unused connection is closed; left out: never
 */
export function openPool(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'> & Partial<Pick<Config, 'DATABASE_AUTH'>>,
  applicationName: string,
  { idleSeconds }: { idleSeconds?: number } = {},
): Pool {
  return postgres(config.DATABASE_URL, {
    max: config.DATABASE_POOL_SIZE,
    ...passwordOf(config.DATABASE_URL, config.DATABASE_AUTH),
    ...(idleSeconds === undefined ? {} : { idle_timeout: idleSeconds }),
    backoff: redialSeconds,
    ...ourManners,
    connection: { application_name: applicationName },
  })
}

/**
 * Asks by a connection of its own, which is closed afterwards.
 * @returns null where no answer comes in time, or an error does
 */
export async function askAnew<Answer>(
  config: Omit<Parameters<typeof openPool>[0], 'DATABASE_POOL_SIZE'>,
  applicationName: string,
  patienceMs: number,
  ask: (sql: Pool) => Promise<Answer>,
): Promise<Answer | null> {
  const sql = openPool({ ...config, DATABASE_POOL_SIZE: 1 }, applicationName)
  try {
    return await Promise.race([ask(sql), sleep(patienceMs, null)])
  } catch {
    return null
  } finally {
    await sql.end({ timeout: 0 })
  }
}

/**
 * After so many failures in a row a connection is not dialled for a moment. The library goes up to 20 s, in which also those
 * wait who ask when the database is long back, and their leases run out. Random, so that a fleet does not come all at once.
 */
function redialSeconds(failures: number): number {
  return (0.5 + Math.random() / 2) * Math.min(3 ** failures / 100, 0.5)
}

/** What our statements rely on in a connection, whatever its other options are. */
export const ourManners = {
  prepare: false,
  transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
  onnotice: () => {},
}

/**
 * For sessions whose plans are kept. PostgreSQL chooses a plan by how large the tables are at that time: one made while the
 * queue was empty would go on reading whole tables after 100,000 jobs have come. With these it has nothing to choose from:
 * a row leads to the next by an index, which suits statements that are about a few jobs, however many others there are.
 */
const steadyPlans = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_material: 'off',
  // A plan that can't do without what is off counts as a dear one, which before version 18 had it compiled.
  jit: 'off',
}

/** Of a session by which many jobs are kept alive and ended: who holds a lock on one must not keep the others waiting. */
const shortPatience = { lock_timeout: '3s' }

/**
 * From then on the pool prepares its statements, if its connections lead to PostgreSQL itself: the process that answers is
 * the one whose number came with the greeting (BackendKeyData in the protocol's message formats). A pooler gives a number
 * of its own.
 * @param options.steady that plans do not depend on the size of the tables, and no lock is waited for longer than three
 *   seconds; for a pool that nobody uses yet, and that is asked about few jobs at a time only
 * @throws when the database can't be reached
 */
export async function prepareWhereDirect(
  sql: Pool,
  config: Pick<Config, 'DATABASE_PREPARE'>,
  { steady = false } = {},
): Promise<void> {
  if (config.DATABASE_PREPARE === 'off') return
  const rows = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  if (rows[0]?.pid !== rows.state.pid) return
  if (steady) {
    // The one connection that is open, and all to come.
    const settings = { ...steadyPlans, ...shortPatience }
    for (const [name, value] of Object.entries(settings))
      await sql`select set_config(${name}, ${value}, false)`
    Object.assign(sql.options.connection, settings)
  }
  // Read by every statement that the library builds.
  Object.assign(sql.options, { prepare: true })
}

/**
 * The same for programs that start without the database, too: tries until it answers, or the pool was ended.
 * @param options.retryMs pause before it is asked again
 */
export async function prepareOnceReached(
  sql: Pool,
  config: Pick<Config, 'DATABASE_PREPARE'>,
  { retryMs = 5000 } = {},
): Promise<void> {
  for (;;) {
    try {
      await prepareWhereDirect(sql, config)
      return
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'CONNECTION_ENDED') return
      await sleep(retryMs, undefined, { ref: false })
    }
  }
}

/**
 * A statement that is never prepared. What a list has to read depends on how many rows its words find: a plan kept for any
 * words would read all that is common to find what is rare.
 */
export function plannedAnew<Query extends Promise<unknown>>(query: Query): Query {
  // Read by the library when it sends the statement, which happens when it is awaited.
  const { options } = query as unknown as { options: { prepare?: boolean } }
  options.prepare = false
  return query
}

/** Whoever asked is gone by then, or asks again. */
const longestRead = '20s'

/**
 * Reads what may have to look at much, such as lists, whose statements are planned anew: each is ended after twenty
 * seconds, where the session does not say less. Otherwise it would go on for nobody, and keep the connection from others.
 * That takes two more ways to the database and back, and one connection for all of `read`.
 * @param read is given the transaction to read in
 * @throws ReadTooLong
 */
export async function readBounded<Answer>(sql: Sql, read: (tx: Sql) => Promise<Answer>): Promise<Answer> {
  if (!('begin' in sql)) return await read(sql)
  try {
    const [, answer] = await sql.begin('read only', (tx) => {
      // A statement of its own, as the time of one begins with it; on its way before the others, which don't wait for it.
      const bound = tx`
        select case
          when current_setting('statement_timeout')::interval not between interval '1ms' and ${longestRead}::interval
          then set_config('statement_timeout', ${longestRead}, true)
        end`
      return Promise.all([bound.execute(), read(tx)])
    })
    return answer as Answer
  } catch (error) {
    // query_canceled
    throw hasClass(error, '57014') ? new ReadTooLong(error) : error
  }
}

/** The one connection that LISTENs; nothing else is sent on it. */
export function openListener(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_LISTEN_URL'> & Partial<Pick<Config, 'DATABASE_AUTH'>>,
  applicationName: string,
): Pool {
  const url = config.DATABASE_LISTEN_URL ?? config.DATABASE_URL
  return postgres(url, {
    max: 1,
    ...passwordOf(url, config.DATABASE_AUTH),
    backoff: redialSeconds,
    prepare: false,
    connection: { application_name: `${applicationName} listener` },
    onnotice: () => {},
  })
}

/** The newest migration whose schema this code relies on. */
export const neededMigration = '0075_own_events.sql'

/** @throws when the database can't be reached, or has not the schema of this version or a later one */
export async function checkDatabase(sql: Sql): Promise<void> {
  const applied = await sql`select from job_server.schema_migrations where name = ${neededMigration}`
  if (applied.length === 0) throw new Error(`the database lacks migrations/${neededMigration}`)
}

export async function databaseTime(sql: Sql): Promise<Date> {
  const [row] = await sql<{ now: Date }[]>`select now()`
  if (row === undefined) throw new Error('the database gave no time')
  return row.now
}

/**
 * To be selected in a transaction: PostgreSQL ends it when it stands still for so long, as who is paused in the middle
 * keeps its locks. A minute is beyond what the largest bulk takes; less is for what many wait for. Before version 17 it does so only between two statements, not in the moment in which the text of one
 * has come and its parameters have not.
 */
export function endWhenStill(tx: Sql, seconds = 60) {
  return tx`
    set_config(
      case
        when current_setting('server_version_num')::int >= 170000 then 'transaction_timeout'
        else 'idle_in_transaction_session_timeout'
      end,
      ${`${seconds}s`},
      true
    )`
}

/**
 * To be selected in a transaction of ours in which no lock is to be waited for longer than three seconds, by a pooler, too.
 * What the session says already stands.
 */
export function waitBriefly(tx: Sql, patience = shortPatience.lock_timeout) {
  return tx`
    case when current_setting('lock_timeout') = '0' then set_config('lock_timeout', ${patience}, true) end`
}

/** Whether the database could not be reached, or ended the connection: it says nothing of what was asked. */
export function isAway(error: unknown): boolean {
  if (hasClass(error, '57') || hasClass(error, '08')) return true
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^CONNECT(ION_(CLOSED|ENDED|DESTROYED)|_TIMEOUT)$/.test(code)
}

/** Whether it is open what became of a statement: the database may have carried it out, and not come to say so. */
export function isUnanswered(error: unknown): boolean {
  return !(error instanceof postgres.PostgresError) || isAway(error)
}

export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return (
    error instanceof postgres.PostgresError && error.code === '23505' && error.constraint_name === constraint
  )
}

/** Whether a statement gave way to others: it waited for a lock as long as `lock_timeout` lets it, or in a circle. */
export function isInUse(error: unknown): boolean {
  return hasClass(error, '55P03') || hasClass(error, '40P01')
}

/** Whether a row could not be written as it is: a value that its type, a constraint or a limit of PostgreSQL refuses. */
export function isFaultOfData(error: unknown): boolean {
  return isRefusedData(error) || hasClass(error, '23')
}

/** Whether a value is none of its type's, or beyond a limit of PostgreSQL: tried again, it would be refused for ever. */
export function isRefusedData(error: unknown): boolean {
  return hasClass(error, '22') || hasClass(error, '54')
}

/** Of SQLSTATE: 22 data exception, 23 integrity constraint violation, 54 program limit exceeded; or a whole one. */
export function hasClass(error: unknown, sqlstate: string): boolean {
  return error instanceof postgres.PostgresError && error.code.startsWith(sqlstate)
}

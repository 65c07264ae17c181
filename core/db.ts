/**
 * Opens the pools to PostgreSQL. postgres.js is mended by a patch of ours (patches/): what it was asked to send when the
 * connection had just closed threw outside of any promise, and ended the process, or was sent before the greeting of the
 * next connection.
 */
import postgres from 'postgres'
import type { Config } from './config.ts'
import { passwordOf } from './db-auth.ts'

/** A pool or a transaction: what every statement of ours takes. */
export type Sql = postgres.Sql | postgres.TransactionSql
export type Pool = postgres.Sql

/**
 * Column names arrive in camelCase; values, and so the keys inside users' jsonb, stay as they are.
 * Statements are prepared only where that is asked for: a pooler in transaction mode may stand between.
 * @param options.idleSeconds after which an unused connection is closed; left out: never
 */
export function openPool(
  config: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_SIZE'> &
    Partial<Pick<Config, 'DATABASE_AUTH' | 'DATABASE_PREPARE'>>,
  applicationName: string,
  { idleSeconds }: { idleSeconds?: number } = {},
): Pool {
  return postgres(config.DATABASE_URL, {
    max: config.DATABASE_POOL_SIZE,
    ...passwordOf(config.DATABASE_URL, config.DATABASE_AUTH),
    ...(idleSeconds === undefined ? {} : { idle_timeout: idleSeconds }),
    prepare: config.DATABASE_PREPARE === 'on',
    connection: { application_name: applicationName },
    transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
    onnotice: () => {},
  })
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
    prepare: false,
    connection: { application_name: `${applicationName} listener` },
    onnotice: () => {},
  })
}

/** @throws when the database can't be reached or has no schema of ours */
export async function checkDatabase(sql: Sql): Promise<void> {
  await sql`select 1 from job_server.jobs limit 1`
}

export async function databaseTime(sql: Sql): Promise<Date> {
  const [row] = await sql<{ now: Date }[]>`select now()`
  if (row === undefined) throw new Error('the database gave no time')
  return row.now
}

/**
 * To be selected in a transaction: PostgreSQL ends it when it stands still for so long, as who is paused in the middle
 * keeps its locks. Before version 17 it does so only between two statements, not in the moment in which the text of one
 * has come and its parameters have not.
 */
export function endWhenStill(tx: Sql, seconds: number) {
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

export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return (
    error instanceof postgres.PostgresError && error.code === '23505' && error.constraint_name === constraint
  )
}

/** Whether a row could not be written as it is: a value that its type, a constraint or a limit of PostgreSQL refuses. */
export function isFaultOfData(error: unknown): boolean {
  return isRefusedData(error) || hasClass(error, '23')
}

/** Whether a value is none of its type's, or beyond a limit of PostgreSQL: tried again, it would be refused for ever. */
export function isRefusedData(error: unknown): boolean {
  return hasClass(error, '22') || hasClass(error, '54')
}

/** Of SQLSTATE: 22 data exception, 23 integrity constraint violation, 54 program limit exceeded. */
function hasClass(error: unknown, sqlstate: string): boolean {
  return error instanceof postgres.PostgresError && error.code.startsWith(sqlstate)
}

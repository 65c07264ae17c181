/**
 * Makes the partitions of the coming weeks and drops those past retention. Both lock whole tables, which somebody may be
 * reading for hours; behind who waits for that, every job would wait. So it waits for a moment only, and what is in use
 * has its turn the next time.
 */
import { isInUse, type Pool, type Sql } from '../db.ts'

const weeksAhead = 4
const lockTimeoutMs = 500
const partitioned = ['job_history', 'attempts', 'events', 'logs']

/** @returns how many partitions were made and dropped, and how often one was in use */
export async function keepPartitions(
  sql: Pool,
  options: { retentionDays: number },
): Promise<{ made: number; dropped: number; inUse: number }> {
  const done = { made: 0, dropped: 0, inUse: 0 }
  const giveWay = async (act: (tx: Sql) => Promise<void>) => {
    if (!(await unlessInUse(sql, act))) done.inUse++
  }
  await giveWay(async (tx) => {
    const [row] = await tx<{ made: number }[]>`select job_server.ensure_partitions(${weeksAhead}) as made`
    done.made = row?.made ?? 0
  })
  // A partition's name carries its first day (UTC); it may go when its last day is past retention.
  const past = await sql<{ name: string }[]>`
    select child.relname as name
    from pg_inherits
    join pg_class child on child.oid = inhrelid
    join pg_class parent on parent.oid = inhparent
    join pg_namespace on pg_namespace.oid = parent.relnamespace
    where nspname = 'job_server' and parent.relname = any(${partitioned}) and child.relname ~ '_[0-9]{8}$'
      and to_date(right(child.relname, 8), 'YYYYMMDD') + 7 < (now() at time zone 'UTC')::date - ${options.retentionDays}::int`
  for (const { name } of past) {
    await giveWay(async (tx) => {
      await tx`drop table if exists job_server.${tx(name)}`
      done.dropped++
    })
  }
  return done
}

/** @returns false when others did not let go of what it needs */
async function unlessInUse(sql: Pool, act: (tx: Sql) => Promise<void>): Promise<boolean> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(`set local lock_timeout = ${lockTimeoutMs}`)
      await act(tx)
    })
    return true
  } catch (error) {
    if (isInUse(error)) return false
    throw error
  }
}

/** Makes the partitions of the coming weeks and drops those past retention. */
import type { Pool } from '../db.ts'

const weeksAhead = 4
const partitioned = ['job_history', 'attempts', 'events', 'logs']

/** @returns how many partitions were made and dropped */
export async function keepPartitions(
  sql: Pool,
  options: { retentionDays: number },
): Promise<{ made: number; dropped: number }> {
  const [row] = await sql<{ made: number }[]>`select job_server.ensure_partitions(${weeksAhead}) as made`
  // A partition's name carries its first day (UTC); it may go when its last day is past retention.
  const past = await sql<{ name: string }[]>`
    select child.relname as name
    from pg_inherits
    join pg_class child on child.oid = inhrelid
    join pg_class parent on parent.oid = inhparent
    join pg_namespace on pg_namespace.oid = parent.relnamespace
    where nspname = 'job_server' and parent.relname = any(${partitioned}) and child.relname ~ '_[0-9]{8}$'
      and to_date(right(child.relname, 8), 'YYYYMMDD') + 7 < (now() at time zone 'UTC')::date - ${options.retentionDays}::int`
  for (const { name } of past) await sql`drop table if exists job_server.${sql(name)}`
  return { made: row?.made ?? 0, dropped: past.length }
}

/** What statements read, in rows, where plans are prepared and can't be asked for. */
import type { Pool } from '../../core/db.ts'

/**
 * Rows and index entries that were read in our tables while `run` went on, by table; a look into an index counts as one,
 * also where it finds nothing.
 * @param pools.sql of one connection, which `run` works with
 * @param pools.other of another; looks at the statistics
 */
export async function rowsRead(
  { sql, other }: { sql: Pool; other: Pool },
  run: () => Promise<unknown>,
): Promise<Map<string, number>> {
  const readSoFar = async () => {
    // Counts reach the others' view when a transaction ends, and so the one of this statement. What `other` has read
    // before would otherwise be counted some seconds later, as read by `run`.
    for (const each of [sql, other]) await each`select pg_stat_force_next_flush()`
    const rows = await other<{ name: string; read: number }[]>`
      select relname as name, (seq_tup_read + coalesce(entries, 0) + coalesce(idx_scan, 0))::int as read
      from pg_stat_user_tables
      left join (
        select relid, sum(idx_tup_read) as entries from pg_stat_user_indexes group by relid
      ) as indexes using (relid)
      where schemaname = 'job_server'`
    return new Map(rows.map(({ name, read }) => [name, read]))
  }
  const before = await readSoFar()
  await run()
  const after = await readSoFar()
  return new Map([...after].map(([name, read]) => [name, read - (before.get(name) ?? 0)]))
}

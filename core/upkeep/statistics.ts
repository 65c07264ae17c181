/**
 * Has PostgreSQL look again at tables that have grown much since it last did. Plans of prepared statements are kept until
 * then: those made while a table was small read it whole, as is quickest then, and go on to when it is large. Autovacuum
 * comes by once a minute, and only for a few tables at a time.
 */
import type { Sql } from '../db.ts'

/** A table of so many pages more than it had is read whole in no time. */
const fewPages = 32
const growth = 2

/** @returns the tables that were looked at; a role that may not is passed over by PostgreSQL, with a warning in its log */
export async function keepStatistics(sql: Sql): Promise<string[]> {
  const grown = await sql<{ name: string }[]>`
    select relname as name
    from pg_class
    where relnamespace = 'job_server'::regnamespace and relkind = 'r'
      and pg_relation_size(oid) / current_setting('block_size')::int > ${growth}::int * relpages + ${fewPages}::int
    order by relname`
  for (const { name } of grown) await sql`analyze job_server.${sql(name)}`
  return grown.map(({ name }) => name)
}

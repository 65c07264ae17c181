import type { Fragment, Sql } from '../db.ts'

/**
 * That a row is the one with this key, in a form that PostgreSQL can do but one thing with: look each key up in the index.
 * Two equal columns it may also merge, by reading the index from one end to the other; it does where it believes the table
 * to be empty, as after a burst that was worked off.
 */
export function probe(sql: Sql, column: Fragment, key: Fragment): Fragment {
  return sql`${column} = any(array[${key}])`
}

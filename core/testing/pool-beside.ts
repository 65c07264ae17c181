/** Our own connections to the database of somebody's pool, whatever that one makes of names and values. */
import postgres from 'postgres'
import { ourManners, type Pool } from '../db.ts'
import { isPool } from '../queue/wake.ts'

/** To be ended by the caller. @throws TypeError for a transaction, whose rows no other connection could see */
export function poolBeside(sql: Pool): Pool {
  if (!isPool(sql)) throw new TypeError('expected a postgres.js pool, not a transaction')
  const options = {
    ...sql.options,
    // Marks options as parsed: the library would take them as they are, with the pool's own transform.
    shared: undefined,
    ...ourManners,
    fetch_types: true,
    types: {},
    onnotify: undefined,
    onparameter: undefined,
    onclose: undefined,
  }
  // The library takes what it has parsed once more; its types know one host only.
  return postgres(options as unknown as postgres.Options<Record<string, never>>)
}

/** A transaction that stays open, so that PostgreSQL removes nothing of what becomes dead meanwhile. */
import type { Pool } from '../../core/db.ts'

export async function openTransaction(sql: Pool): Promise<{ close(): Promise<void> }> {
  const isOpen = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const held = sql.begin('isolation level repeatable read', async (tx) => {
    // The first statement takes the snapshot.
    await tx`select 1`
    isOpen.resolve()
    await release.promise
  })
  await Promise.race([isOpen.promise, held])
  return {
    close: async () => {
      release.resolve()
      await held
    },
  }
}

/** Leaves so many dead entries of a state in the indexes, as of jobs that were in it since the last hour. */
export async function leaveDead(
  sql: Pool,
  count: number,
  { definition = 'test', state = 'ready', priority = 0 } = {},
): Promise<void> {
  const isRunning = state === 'running'
  await sql`
    insert into job_server.jobs (
      id, definition_key, definition_version, queue, state, priority, max_attempts, timeout_seconds, params, turn_at,
      scheduled_at, worker_id, lease_epoch, lease_expires_at
    )
    select
      gen_random_uuid(), ${definition}, 1, 'default', ${state}, ${priority}, 3, 60, '{}', at,
      at, ${isRunning ? 'w0' : null}, ${isRunning ? 0 : null}, case when ${isRunning} then at end
    from generate_series(1, ${count}) as n
    cross join lateral (select now() - interval '1 hour' + n * interval '1 ms' as at) as time`
  await sql`delete from job_server.jobs where turn_at < now() - interval '1 minute'`
  await sql`
    insert into job_server.lanes (queue, definition_key, definition_version) values ('default', ${definition}, 1)
    on conflict do nothing`
}

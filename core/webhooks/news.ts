/** Whether there may be something to tell webhooks of. */
import type { Sql } from '../db.ts'

/**
 * A condition that costs next to nothing where nobody listens or nothing has happened. Transactions are looked up by
 * order: asked whether there is one beyond the cursor, the planner takes a third of all events for new and reads them.
 */
export function hasNews(sql: Sql) {
  // job_webhooks_pending_idx, events_xid_idx
  return sql`
    (
      exists (select from job_server.webhooks where enabled)
      or exists (select from job_server.job_webhooks where told_at is null)
    )
    and exists (
      select from (
        select position, split_part(position, '/', 1)::pg_snapshot as seen from job_server.webhook_cursor
      ) as reader
      where position like '%/%'
        or (select xid from job_server.events order by xid desc limit 1) >= pg_snapshot_xmax(seen)
        or exists (
          select from pg_snapshot_xip(seen) as running (xid)
          where xid = (
            select events.xid from job_server.events where events.xid >= running.xid order by events.xid limit 1
          )
        )
        -- It counts further than the database does: that was restored from a dump.
        or pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot())
    )`
}

/** Removes what is kept of webhooks' deliveries past retention. */
import type { Sql } from '../db.ts'
import { deliveryDefinition } from '../definitions/internal.ts'

/** What is still on its way stays. @returns how many deliveries were removed */
export async function removeOldDeliveries(sql: Sql, options: { retentionDays: number }): Promise<number> {
  const first = sql`job_server.uuid_v7_floor(now() - make_interval(days => ${options.retentionDays}::int))`
  // webhook_deliveries_pk, jobs_pk
  const removed = await sql`
    delete from job_server.webhook_deliveries
    where id < ${first} and not exists (select from job_server.jobs where jobs.id = delivery_job_id)`
  // jobs_pk, job_history_pk of one partition, dead_letters_original_job_unique. Who can still be told of, or be tried again
  // and then be told of, keeps its address.
  await sql`
    delete from job_server.job_webhooks
    where job_id < ${first} and not exists (select from job_server.jobs where jobs.id = job_id)
      and not exists (select from job_server.job_history where job_history.id = job_id)
      and not exists (select from job_server.dead_letters where original_job_id = job_id)`
  // dead_letters_definition_idx. Their deliveries are sent again from the log, not from here.
  await sql`
    delete from job_server.dead_letters
    where definition_key = ${deliveryDefinition} and original_job_id < ${first}`
  return removed.count
}

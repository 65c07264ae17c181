/** Reads the jobs that events are about, as webhooks are told of them. */
import type { Sql } from '../db.ts'
import { deliveryDefinition } from '../definitions/internal.ts'
import { resultLimitBytes, type ToldJob } from './payload.ts'

export interface TellableJob {
  told: ToldJob
  /** Where its end is to be told, and was not yet. */
  webhookUrl: string | null
  /** Of a delivery to a webhook: which. */
  deliversTo: string | null
}

/** By id. Those that are gone meanwhile have no entry. */
export async function readToldJobs(tx: Sql, jobIds: string[]): Promise<Map<string, TellableJob>> {
  if (jobIds.length === 0) return new Map()
  const columns = tx`
    id, definition_key, definition_version, queue, attempts, max_attempts, queued_at, started_at, parent_id, tags, metadata, params`
  // jobs_pk, the primary keys of history's partitions, job_webhooks_pk, webhook_deliveries_pk. `case`, as what stands in
  // the parameters of other jobs may be no UUID, and conditions of a join are judged in any order.
  const rows = await tx<(ToldJob & Omit<TellableJob, 'told'>)[]>`
    select
      job.id as job_id, definition_key, definition_version, queue, attempts, max_attempts, queued_at, started_at, finished_at,
      parent_id, tags, metadata, result_bytes, case when result_bytes <= ${resultLimitBytes} then result end as result,
      own.url as webhook_url, delivery.webhook_id as delivers_to
    from (
      select ${columns}, null::timestamptz as finished_at, null::jsonb as result, null::int as result_bytes
      from job_server.jobs
      where id = any(${jobIds}::uuid[])
      union all
      select
        ${columns}, finished_at, result, case when status = 'succeeded' then octet_length(result::text) end
      from job_server.job_history
      where id = any(${jobIds}::uuid[])
    ) as job
    left join job_server.job_webhooks as own on own.job_id = job.id and told_at is null
    left join job_server.webhook_deliveries as delivery
      on delivery.id = case when definition_key = ${deliveryDefinition} then (params ->> 'deliveryId')::uuid end`
  return new Map(
    rows.map(({ webhookUrl, deliversTo, ...told }) => [told.jobId, { told, webhookUrl, deliversTo }]),
  )
}

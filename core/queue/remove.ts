/** Removes a finished job with all that is kept of it: attempts, events, logs, dead letter, outputs. */
import type { Sql } from '../db.ts'
import type { JobStatus } from '../job-state.ts'
import type { JsonObject } from '../json.ts'
import type { Storage } from '../storage/client.ts'
import { outputPrefix } from '../storage/keys.ts'
import { removeBelow } from '../storage/remove-below.ts'
import { hashOf, uniqueKeyOf } from './enqueue-row.ts'
import { statusIfAny } from './read.ts'

export type Removed =
  | { kind: 'removed' }
  | { kind: 'not_found' }
  | { kind: 'not_finished'; status: JobStatus }
  /** Its parent has not ended, and goes on with what its children left. */
  | { kind: 'needed_by'; parentId: string }

export async function removeJob(sql: Sql, storage: Storage, jobId: string): Promise<Removed> {
  // The one partition's job_history pk, and jobs_pk. A parent that has ended never lives again, so nobody comes to be needed.
  const [finished] = await sql<{ definitionVersion: number; params: JsonObject; neededBy: string | null }[]>`
    select job_history.definition_version, job_history.params, parent.id as needed_by
    from job_server.job_history
    left join job_server.jobs as parent on parent.id = job_history.parent_id
    where job_history.id = ${jobId}`
  if (finished === undefined) {
    const status = await statusIfAny(sql, jobId)
    return status === null ? { kind: 'not_found' } : { kind: 'not_finished', status }
  }
  if (finished.neededBy !== null) return { kind: 'needed_by', parentId: finished.neededBy }
  // Before the row: should the storage fail, there is still something to repeat the removal by.
  await removeBelow(storage, outputPrefix(jobId))
  const uniqueKey = uniqueKeyOf(finished.definitionVersion, hashOf(finished.params))
  // Each by its primary key, in one partition; dead_letters_original_job_unique, source_uses_job_idx, idempotency_keys_pk.
  await sql`
    with removed as (
      delete from job_server.job_history where id = ${jobId} returning id, definition_key, idempotency_key
    ),
    attempts as (delete from job_server.attempts where job_id = ${jobId}),
    events as (delete from job_server.events where job_id = ${jobId}),
    logs as (delete from job_server.logs where job_id = ${jobId}),
    letters as (delete from job_server.dead_letters where original_job_id = ${jobId}),
    webhooks as (delete from job_server.job_webhooks where job_id = ${jobId}),
    uses as (delete from job_server.source_uses where job_id = ${jobId}),
    outputs as (delete from job_server.job_outputs where job_id = ${jobId}),
    additions as (delete from job_server.video_additions where video_id = ${jobId})
    delete from job_server.idempotency_keys as held using removed
    where held.definition_key = removed.definition_key and held.job_id = removed.id
      and (held.kind, held.key) in (('client', removed.idempotency_key), ('unique', ${uniqueKey}))`
  return { kind: 'removed' }
}

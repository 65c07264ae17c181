/**
 * Lifecycle hooks that became due: taken by a worker that has their code, under a lease, run once its process is
 * there, and recorded when they fail. What they do never changes the job.
 */
import type { Sql } from '../db.ts'
import type { HookName } from '../job.ts'
import { type JsonObject, storable } from '../json.ts'
import { jsonParameter } from './row.ts'

/** A hook whose worker died is given to others so often. */
const triesLimit = 3

export interface HookRun {
  id: string
  jobId: string
  definitionKey: string
  definitionVersion: number
  hook: HookName
  /** `status`, `attempt`, `params`, and where they apply `result`, `errorCode`, `message`. */
  payload: JsonObject
}

export async function claimHooks(
  sql: Sql,
  request: { definitions: { key: string; version: number }[]; limit: number; leaseSeconds: number },
): Promise<HookRun[]> {
  const { definitions, limit, leaseSeconds } = request
  if (limit < 1 || definitions.length === 0) return []
  // hook_runs_pk, oldest first: the table holds only what is not done. hook_runs_job_idx: those of a job take turns.
  return await sql<HookRun[]>`
    with next as (
      select id from job_server.hook_runs
      where lease_expires_at < now() and tries < ${triesLimit} and (definition_key, definition_version) in (
        select * from unnest(${definitions.map(({ key }) => key)}::text[], ${definitions.map(({ version }) => version)}::int[])
      )
        and not exists (
          select from job_server.hook_runs as earlier
          where earlier.job_id = hook_runs.job_id and earlier.id < hook_runs.id
        )
      order by id
      limit ${limit}
      for update skip locked
    )
    update job_server.hook_runs set
      tries = tries + 1,
      lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
    from next
    where hook_runs.id = next.id
    returning hook_runs.id, job_id, definition_key, definition_version, hook, payload`
}

/** @param error a sentence when the hook failed; it becomes an event of the job */
export async function endHook(sql: Sql, run: HookRun, error: string | null): Promise<void> {
  const payload = storable({ hook: run.hook, error })
  await sql`
    with ended as (delete from job_server.hook_runs where id = ${run.id} returning job_id)
    insert into job_server.events (job_id, event_type, payload)
    select job_id, 'hook_failed', ${sql.json(jsonParameter(payload))} from ended
    where ${error}::text is not null`
}

/** Gives up hooks whose workers died again and again. @returns how many */
export async function giveUpHooks(sql: Sql): Promise<number> {
  const rows = await sql`
    with given_up as (
      delete from job_server.hook_runs where tries >= ${triesLimit} and lease_expires_at < now()
      returning job_id, hook
    )
    insert into job_server.events (job_id, event_type, payload)
    select job_id, 'hook_failed', jsonb_build_object('hook', hook, 'error', 'The workers that ran it died.')
    from given_up`
  return rows.count
}

/**
 * Lifecycle hooks that became due: taken by a worker that has their code, under a lease, run once its process is
 * there, and recorded when they fail. What they do never changes the job.
 */
import type { Sql } from '../db.ts'
import type { HookName } from '../job.ts'
import { type JsonObject, storable } from '../json.ts'
import { silentSeconds } from '../workers/read.ts'
import { jsonParameter } from './row.ts'
import { hintWork } from './wake.ts'

/** A hook whose worker died is given to others so often. */
const triesLimit = 3
/** So long a hook waits at least for a worker that has its code. */
const orphanSeconds = 86_400

export interface HookRun {
  id: string
  jobId: string
  definitionKey: string
  definitionVersion: number
  hook: HookName
  /** `status`, `attempt`, `params`, and where they apply `result`, `errorCode`, `message`. */
  payload: JsonObject
  /** How often it was taken, this time included. */
  tries: number
}

export async function claimHooks(
  sql: Sql,
  request: { definitions: { key: string; version: number }[]; limit: number; leaseSeconds: number },
): Promise<HookRun[]> {
  const { definitions, limit, leaseSeconds } = request
  if (limit < 1 || definitions.length === 0) return []
  // hook_runs_definition_idx, oldest first of each: what waits for other code is not read. hook_runs_job_idx: those of a job
  // take turns.
  return await sql<HookRun[]>`
    with next as (
      select run.id
      from unnest(
        ${definitions.map(({ key }) => key)}::text[], ${definitions.map(({ version }) => version)}::int[]
      ) as loaded (key, version)
      cross join lateral (
        select id from job_server.hook_runs
        where definition_key = loaded.key and definition_version = loaded.version
          and lease_expires_at < now() and tries < ${triesLimit}
          and not exists (
            select from job_server.hook_runs as earlier
            where earlier.job_id = hook_runs.job_id and earlier.id < hook_runs.id
          )
        order by id
        limit ${limit}
        for update skip locked
      ) as run
      order by run.id
      limit ${limit}
    )
    update job_server.hook_runs set
      tries = tries + 1,
      lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
    from next
    where hook_runs.id = next.id
    returning hook_runs.id, job_id, definition_key, definition_version, hook, payload, tries`
}

/** Of hooks that were taken and not done: others may have them at once, and no try is spent. */
export async function giveBackHooks(sql: Sql, runs: Pick<HookRun, 'id' | 'tries'>[]): Promise<void> {
  if (runs.length === 0) return
  // hook_runs_pk. Whoever took one since, as the lease was over, has counted on.
  await sql`
    update job_server.hook_runs set tries = hook_runs.tries - 1, lease_expires_at = '-infinity'
    from unnest(${runs.map(({ id }) => id)}::bigint[], ${runs.map(({ tries }) => tries)}::int[]) as given (id, tries)
    where hook_runs.id = given.id and hook_runs.tries = given.tries`
  hintWork(sql)
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

/**
 * Gives up hooks whose workers died again and again, and those that wait for long for code that nobody has. While no worker
 * lives that takes up anything, nothing is known of the code: it may well be back with the next, as after a restart.
 * @returns how many
 */
export async function giveUpHooks(sql: Sql): Promise<number> {
  const isWorn = sql`tries >= ${triesLimit}`
  // All that waits is read: it is little, and this comes seldom.
  const rows = await sql`
    with given_up as (
      delete from job_server.hook_runs
      where lease_expires_at < now() and (
        ${isWorn}
        or created_at < now() - make_interval(secs => ${orphanSeconds}) and ${isWithoutCode(sql)}
      )
      returning job_id, hook, ${isWorn} as is_worn
    )
    insert into job_server.events (job_id, event_type, payload)
    select job_id, 'hook_failed', jsonb_build_object(
      'hook', hook,
      'error', case when is_worn then 'The workers that ran it died.' else 'No worker has its code.' end
    )
    from given_up`
  return rows.count
}

/** Whether the code of the definition has no hooks, or of the workers that live none has it. One that drains names nothing. */
function isWithoutCode(sql: Sql) {
  const lives = sql`kind = 'worker' and heartbeat_at > now() - make_interval(secs => ${silentSeconds})`
  // definitions_pk; workers are few.
  return sql`
    (
      not exists (
        select from job_server.definitions
        where key = definition_key and version = definition_version and hooks <> '{}'
      )
      or (
        exists (select from job_server.workers where ${lives} and info -> 'definitions' <> '[]')
        and not exists (
          select from job_server.workers
          where ${lives} and info -> 'definitions' ? (definition_key || '@' || definition_version)
        )
      )
    )`
}

/**
 * What follows when jobs have ended: others may begin. Dependents and parents that waited for them are released,
 * or end too; children of a parent that ended are cancelled; the next job of a concurrency key is admitted.
 *
 * It runs after the end was committed, in statements with snapshots of their own: of two that end at once, the
 * one whose release comes last sees both gone. Everything is guarded by the state it finds, so repeating it is
 * harmless, and `sweep` finds what a process that died in between left undone.
 */
import type { Fragment, Pool, Sql } from '../db.ts'
import { admit, withdraw } from './admit.ts'
import { type EndedJob, endedAs, endJobs } from './end-jobs.ts'
import { probe } from './probe.ts'
import { stopJobs } from './stop-jobs.ts'
import { hintWork } from './wake.ts'

const sweepLimit = 1000

export async function release(sql: Pool, ended: EndedJob[]): Promise<void> {
  let wave = ended
  while (wave.length > 0) {
    const keys = wave.map(({ concurrencyKey }) => concurrencyKey).filter((key) => key !== null)
    await admit(sql, keys)
    const final = wave.filter(({ status }) => status !== 'queued')
    const waiting = wave.filter(({ status, hadChildren }) => status === 'queued' && hadChildren)
    const bereaved = final.filter(({ status, hadChildren }) => hadChildren && status !== 'succeeded')
    const dependents = await dependentsOf(sql, final)
    const parents = final.map(({ parentId }) => parentId).filter((id) => id !== null)
    wave = [
      ...(await cancelChildren(
        sql,
        bereaved.map(({ jobId }) => jobId),
      )),
      ...(await settle(sql, [...dependents, ...parents, ...waiting.map(({ jobId }) => jobId)])),
    ]
  }
}

/** Releases what a process that died between an end and its consequences left waiting. */
export async function sweep(sql: Pool): Promise<void> {
  await withdraw(sql)
  // jobs_waiting_idx, then jobs_parent_idx, job_dependencies_pk and jobs_pk for each.
  const idle = await sql<{ id: string }[]>`
    select id from job_server.jobs as waiting
    where state = 'waiting'
      and not ${hasChildren(sql, sql`waiting.id`)}
      and not ${dependsOnOthers(sql, sql`waiting.id`)}
    limit ${sweepLimit}`
  const orphaned = await sql<{ id: string }[]>`
    select distinct parent_id as id from job_server.jobs as child
    where parent_id is not null and not exists (select from job_server.jobs as parent where parent.id = child.parent_id offset 0)
    limit ${sweepLimit}`
  const ended = [
    ...(await cancelChildren(
      sql,
      orphaned.map(({ id }) => id),
    )),
    ...(await settle(
      sql,
      idle.map(({ id }) => id),
    )),
  ]
  await release(sql, ended)
}

// `offset 0`: PostgreSQL looks for each job by itself, and does not read all that have a parent or depend on others, as it
// would where it believes that there are none.

function hasChildren(sql: Sql, jobId: Fragment) {
  return sql`exists (select from job_server.jobs as child where child.parent_id = ${jobId} offset 0)`
}

function dependsOnOthers(sql: Sql, jobId: Fragment) {
  return sql`exists (
    select from job_server.job_dependencies
    cross join lateral (select from job_server.jobs where id = depends_on offset 0) as other
    where job_dependencies.job_id = ${jobId}
    offset 0
  )`
}

async function dependentsOf(sql: Pool, ended: EndedJob[]): Promise<string[]> {
  if (ended.length === 0) return []
  // job_dependencies_on_idx
  const rows = await sql<{ jobId: string }[]>`
    select distinct job_id from job_server.job_dependencies where depends_on = any(${ended.map(({ jobId }) => jobId)}::uuid[])`
  return rows.map(({ jobId }) => jobId)
}

/**
 * Decides about jobs that wait: broken by what they waited for, free to run, or still waiting.
 * @returns those that ended
 */
async function settle(sql: Pool, jobIds: string[]): Promise<EndedJob[]> {
  if (jobIds.length === 0) return []
  const failedChild = sql`
    select child.id from job_server.job_history as child
    where child.parent_id = jobs.id and child.status <> 'succeeded' and child.queued_at >= jobs.children_since`
  const failedDependency = sql`
    select depends_on from job_server.job_dependencies
    cross join lateral (select status from job_server.job_history where id = depends_on offset 0) as other
    where job_dependencies.job_id = jobs.id and other.status <> 'succeeded'`
  const childFailed = sql`(on_child_failure = 'fail' and exists (${failedChild} offset 0))`
  const dependencyFailed = sql`exists (${failedDependency} offset 0)`
  const broken = await endJobs(
    sql,
    sql`
      select jobs.*, ${endedAs(sql, {
        kind: sql`case when ${childFailed} then 'failed' else 'cancelled' end`,
        outcome: 'waiting',
        errorCode: sql`case when ${childFailed} then 'child_failed' else 'dependency_failed' end`,
        message: sql`
          case
            when ${childFailed} then 'The child job ' || (${failedChild} limit 1) || ' did not succeed.'
            else 'The job ' || (${failedDependency} limit 1) || ', which this one depends on, did not succeed.'
          end`,
      })}
      from job_server.jobs
      where id = any(${jobIds}::uuid[]) and state = 'waiting' and (${childFailed} or ${dependencyFailed})
      order by id
      for update`,
  )
  const [row] = await sql<{ released: number }[]>`
    with released as (
      update job_server.jobs set
        state = case
          when scheduled_at > now() then 'scheduled'
          when concurrency_key is null then 'ready'
          else 'blocked'
        end,
        -- From when it can be claimed.
        scheduled_at = greatest(scheduled_at, now())
      where id = any(${jobIds}::uuid[]) and state = 'waiting'
        -- Once more: one may have failed since the statement above. Who ended that one comes here, too.
        and not (${childFailed} or ${dependencyFailed})
        and not ${hasChildren(sql, sql`jobs.id`)}
        and not ${dependsOnOthers(sql, sql`jobs.id`)}
      returning id
    ),
    forgotten as (
      delete from job_server.job_dependencies using released
      where ${probe(sql, sql`job_dependencies.job_id`, sql`released.id`)}
    )
    select count(*)::int as released from released`
  if (row !== undefined && row.released > 0) hintWork(sql)
  return broken
}

/** @returns those that ended at once; running ones are stopped by their owners */
async function cancelChildren(sql: Pool, parentIds: string[]): Promise<EndedJob[]> {
  if (parentIds.length === 0) return []
  // jobs_parent_idx
  const children = await sql<{ id: string }[]>`
    select id from job_server.jobs where parent_id = any(${parentIds}::uuid[])`
  const { ended } = await stopJobs(
    sql,
    children.map(({ id }) => id),
    { errorCode: 'parent_ended', message: 'The parent job ended.' },
  )
  return ended
}

/** Lists jobs wherever they are, newest first. */
import { plannedAnew, readBounded, type Sql } from '../db.ts'
import { isFinal } from '../job-state.ts'
import { type JobFilter, matching, ofDefinition } from './filter.ts'
import { finishedColumns, liveColumns } from './read.ts'
import type { JobView } from './row.ts'

export interface JobPage {
  jobs: JobView[]
  /** How many match in all, or of those that were looked at; null when it was not asked for. */
  total: number | null
  /** False: there may be more behind those that were looked at. */
  isTotalWhole: boolean
  /** The job behind which the next page begins; null: there is none. */
  nextAfter: string | null
}

interface PageRequest {
  limit: number
  offset: number
  after?: string | undefined
  total: boolean
  lookAt?: number | undefined
}

/**
 * @param page.after the last job that is already known; `offset` counts from there
 * @param page.total whether to count all that match, which costs more the more there are
 * @param page.lookAt how many jobs are looked at for this page: a search for what is rare then ends early, with a page
 *   that is not full, and the next one goes on behind. Left out: all of them.
 * @throws ReadTooLong
 */
export async function listJobs(sql: Sql, filter: JobFilter, page: PageRequest): Promise<JobPage> {
  return await readBounded(sql, (tx) => readPage(tx, filter, page))
}

async function readPage(sql: Sql, filter: JobFilter, page: PageRequest): Promise<JobPage> {
  const { limit, offset, after, total, lookAt } = page
  const { live, finished } = matching(sql, filter)
  const behind = after === undefined ? sql`` : sql`and id < ${after}`
  const last = lookAt === undefined ? null : await lastLookedAt(sql, filter, { after, lookAt })
  const within = last === null ? behind : sql`${behind} and id >= ${last}`
  const counted = lookAt === undefined ? sql`` : within
  // Each side reads at most offset + limit rows in id order (jobs_pk, jobs_definition_idx, job_history_*_idx), and one
  // more tells whether there is a next page.
  const reach = offset + limit + 1
  const [rows, [count]] = await Promise.all([
    plannedAnew(sql<JobView[]>`
      select * from (
        (select ${liveColumns(sql)} from job_server.jobs where ${live} ${within} order by id desc limit ${reach})
        union all
        (select ${finishedColumns(sql)} from job_server.job_history where ${finished} ${within} order by id desc limit ${reach})
      ) as page
      order by job_id desc
      limit ${limit + 1} offset ${offset}`),
    total
      ? plannedAnew(sql<{ total: number }[]>`
          select (
            (select count(*) from job_server.jobs where ${live} ${counted})
            + (select count(*) from job_server.job_history where ${finished} ${counted})
          )::float8 as total`)
      : [],
  ])
  const jobs = rows.slice(0, limit)
  return {
    jobs,
    total: count?.total ?? null,
    isTotalWhole: lookAt === undefined || (last === null && after === undefined),
    nextAfter: rows.length > limit ? (jobs.at(-1)?.jobId ?? null) : last,
  }
}

/**
 * The oldest of the next `lookAt` jobs in the order of one index; null when there are no more than these, or when the
 * jobs are found by what only they have. It reads the index alone (jobs_pk, jobs_definition_idx, job_history_pk,
 * job_history_status_idx or job_history_definition_idx): 20,000 entries of 2 million jobs take 6 ms.
 */
async function lastLookedAt(
  sql: Sql,
  { status, definitionKey, tags = [], parentId }: JobFilter,
  { after, lookAt }: { after: string | undefined; lookAt: number },
): Promise<string | null> {
  if (tags.length > 0 || parentId !== undefined) return null
  const behind = after === undefined ? sql`` : sql`and id < ${after}`
  const isLive = status === undefined || !isFinal(status)
  const isFinished = status === undefined || isFinal(status)
  const ofStatus = status === undefined || definitionKey !== undefined ? sql`` : sql`and status = ${status}`
  const [oldest, next] = await plannedAnew(sql<{ id: string }[]>`
    select id from (
      (select id from job_server.jobs where ${isLive} ${ofDefinition(sql, definitionKey)} ${behind} order by id desc limit ${lookAt + 1})
      union all
      (
        select id from job_server.job_history where ${isFinished} ${ofDefinition(sql, definitionKey)} ${ofStatus} ${behind}
        order by id desc limit ${lookAt + 1}
      )
    ) as candidates
    order by id desc
    limit 2 offset ${lookAt - 1}`)
  return next === undefined ? null : (oldest?.id ?? null)
}

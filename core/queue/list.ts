/** Lists jobs wherever they are, newest first. */
import type { Sql } from '../db.ts'
import { type JobFilter, matching } from './filter.ts'
import { finishedColumns, liveColumns } from './read.ts'
import type { JobView } from './row.ts'

export interface JobPage {
  jobs: JobView[]
  /** How many match in all; null when it was not asked for. */
  total: number | null
  /** The job behind which the next page begins; null: there is none. */
  nextAfter: string | null
}

/**
 * @param page.after the last job that is already known; `offset` counts from there
 * @param page.total whether to count all that match, which costs more the more there are
 */
export async function listJobs(
  sql: Sql,
  filter: JobFilter,
  page: { limit: number; offset: number; after?: string | undefined; total: boolean },
): Promise<JobPage> {
  const { limit, offset, after, total } = page
  const { live, finished } = matching(sql, filter)
  const behind = after === undefined ? sql`` : sql`and id < ${after}`
  // Each side reads at most offset + limit rows in id order (jobs_pk, jobs_definition_idx, job_history_*_idx), and one
  // more tells whether there is a next page.
  const reach = offset + limit + 1
  const [rows, [count]] = await Promise.all([
    sql<JobView[]>`
      select * from (
        (select ${liveColumns(sql)} from job_server.jobs where ${live} ${behind} order by id desc limit ${reach})
        union all
        (select ${finishedColumns(sql)} from job_server.job_history where ${finished} ${behind} order by id desc limit ${reach})
      ) as page
      order by job_id desc
      limit ${limit + 1} offset ${offset}`,
    total
      ? sql<{ total: number }[]>`
          select (
            (select count(*) from job_server.jobs where ${live})
            + (select count(*) from job_server.job_history where ${finished})
          )::float8 as total`
      : [],
  ])
  const jobs = rows.slice(0, limit)
  return {
    jobs,
    total: count?.total ?? null,
    nextAfter: rows.length > limit ? (jobs.at(-1)?.jobId ?? null) : null,
  }
}

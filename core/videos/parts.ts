/** An encode that was divided, as if it were one job: its parts' progress is its own while it waits, and their failure. */
import type { Sql } from '../db.ts'
import { encodingPercent } from '../encode/options.ts'
import type { JobView } from '../queue/row.ts'

export async function asOneJob(sql: Sql, job: JobView): Promise<JobView> {
  if (job.status === 'failed' && job.errorCode === 'child_failed')
    return { ...job, ...(await readError(sql, job)) }
  if (job.status !== 'queued' && job.status !== 'running') return job
  const parts = await readProgress(sql, job.jobId)
  if (parts === null) return job
  const { from, to } = encodingPercent
  const percent = Math.round(10 * (from + parts.share * (to - from))) / 10
  const own = Number(job.progress?.percent ?? 0)
  if (own >= percent) return { ...job, status: 'running' }
  const etaSeconds = parts.fps > 0 ? Math.round(parts.framesLeft / parts.fps) : null
  return { ...job, status: 'running', progress: { percent, phase: 'encoding', fps: parts.fps, etaSeconds } }
}

interface PartsProgress {
  /** 0 to 1, by frames. */
  share: number
  /** Of all that run. */
  fps: number
  framesLeft: number
}

/** @returns null when the encode is not divided, or not yet */
async function readProgress(sql: Sql, jobId: string): Promise<PartsProgress | null> {
  // jobs_pk, then jobs_parent_idx and job_history_parent_idx. What an attempt reached that is lost is in the checkpoint.
  const [row] = await sql<{ share: number | null; fps: number; framesLeft: number }[]>`
    with parent as (
      select id, children_since from job_server.jobs where id = ${jobId} and children_since is not null
    ),
    parts as (
      select
        (params ->> 'frameCount')::float8 as frames,
        greatest((progress ->> 'percent')::float8, (checkpoint ->> 'percent')::float8, 0) / 100 as share,
        case when state = 'running' then (progress ->> 'fps')::float8 end as fps
      from job_server.jobs
      where parent_id = (select id from parent)
      union all
      select (params ->> 'frameCount')::float8, 1, null
      from job_server.job_history
      where parent_id = (select id from parent) and status = 'succeeded'
        and queued_at >= (select children_since from parent)
    )
    select
      sum(frames * share) / nullif(sum(frames), 0) as share,
      coalesce(sum(fps), 0) as fps,
      sum(frames * (1 - share)) as frames_left
    from parts`
  return row === undefined || row.share === null ? null : { ...row, share: row.share }
}

/** Of the part that failed first. */
async function readError(sql: Sql, { jobId }: JobView): Promise<Pick<JobView, 'errorCode' | 'errorSummary'>> {
  // job_history_parent_idx
  const [failed] = await sql<Pick<JobView, 'errorCode' | 'errorSummary'>[]>`
    select error_code, error_summary from job_server.job_history
    where parent_id = ${jobId} and status = 'failed'
    order by finished_at
    limit 1`
  return failed ?? { errorCode: 'child_failed', errorSummary: null }
}

/** Encodes that added outputs to a video after its first one. A video goes by the id of its first job. */
import type { Sql } from '../db.ts'
import { finishedColumns, liveColumns } from '../queue/read.ts'
import type { JobView } from '../queue/row.ts'

export async function addToVideo(sql: Sql, videoId: string, jobId: string): Promise<void> {
  await sql`
    insert into job_server.video_additions (video_id, job_id) values (${videoId}, ${jobId})
    on conflict on constraint video_additions_pk do nothing`
}

/** In the order they were enqueued in. */
export async function readAdditions(sql: Sql, videoId: string): Promise<JobView[]> {
  // video_additions_pk, then jobs_pk and the one partition's job_history pk.
  const ids = sql`select job_id from job_server.video_additions where video_id = ${videoId}`
  return await sql<JobView[]>`
    select ${liveColumns(sql)} from job_server.jobs where id in (${ids})
    union all
    select ${finishedColumns(sql)} from job_server.job_history where id in (${ids})
    order by job_id`
}

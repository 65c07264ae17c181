/** Encodes that add outputs to a video after its first one, or do them again. A video goes by the id of its first job. */
import { endWhenStill, type Pool, type Sql, waitBriefly } from '../db.ts'
import { type Enqueued, type EnqueueInput, enqueue } from '../queue/enqueue.ts'
import { finishedColumns, liveColumns } from '../queue/read.ts'
import type { JobView } from '../queue/row.ts'
import { hintWork } from '../queue/wake.ts'

/** @throws as `enqueue` on a pool */
export async function enqueueAddition(sql: Pool, videoId: string, input: EnqueueInput): Promise<Enqueued> {
  const enqueued = await sql.begin(async (tx) => {
    // In a transaction `enqueue` bounds nothing: it might be the caller's.
    await tx`select ${endWhenStill(tx)}, ${waitBriefly(tx)}`
    const { job, created } = await enqueue(tx, input)
    await tx`
      insert into job_server.video_additions (video_id, job_id) values (${videoId}, ${job.id})
      on conflict on constraint video_additions_pk do nothing`
    return { job, created }
  })
  hintWork(sql)
  return enqueued
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

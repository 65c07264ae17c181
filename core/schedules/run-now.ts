/** Fires a schedule by hand, beside its times. */
import { endWhenStill, type Pool, waitBriefly } from '../db.ts'
import { ScheduleNotFound, ScheduleOverlaps } from '../errors.ts'
import { enqueue } from '../queue/enqueue.ts'
import { hintWork } from '../queue/wake.ts'
import { jobOf, unendedJobs, whyNotAnother } from './overlap.ts'
import { type Schedule, scheduleColumns } from './row.ts'

/**
 * A disabled one too. The overlap policy holds: who asked that no two jobs run at once means it.
 * @returns the id of the job
 * @throws ScheduleNotFound, ScheduleOverlaps, DefinitionNotFound, InvalidParams
 */
export async function runNow(sql: Pool, id: string): Promise<string> {
  const jobId = await sql.begin(async (tx) => {
    // The lock makes a leader and others who run it now take turns, so that each sees the jobs of the others.
    const [schedule] = await tx<Schedule[]>`
      select ${scheduleColumns(tx)}, ${endWhenStill(tx)}, ${waitBriefly(tx)}
      from job_server.schedules where id = ${id} for update`
    if (schedule === undefined) throw new ScheduleNotFound(id)
    const unended = (await unendedJobs(tx, [id])).get(id) ?? []
    const reason = whyNotAnother(schedule.overlap, unended)
    if (reason !== null) throw new ScheduleOverlaps(reason)
    const { job } = await enqueue(tx, jobOf(schedule))
    await tx`
      insert into job_server.schedule_fires (schedule_id, fire_at, manual, outcome, job_id)
      values (${id}, date_trunc('milliseconds', clock_timestamp()), true, 'enqueued', ${job.id})`
    await tx`
      update job_server.schedules set last_fire_at = now(), last_job_id = ${job.id} where id = ${id}`
    return job.id
  })
  hintWork(sql)
  return jobId
}

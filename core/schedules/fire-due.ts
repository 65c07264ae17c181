/**
 * Fires the schedules that are due: enqueues their job and moves them to their next time, in one transaction
 * with the record of the fire. (schedule, fire time) is unique, so two leaders at once fire a time once.
 */
import { Cron } from 'croner'
import type { Pool } from '../db.ts'
import { DomainError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { enqueue } from '../queue/enqueue.ts'
import { hintWork } from '../queue/wake.ts'

interface DueSchedule {
  id: string
  definitionKey: string
  definitionVersion: number
  params: JsonObject
  priority: number
  cron: string
  timezone: string
  fireAt: Date
  /** The database's clock. */
  now: Date
}

/** @returns how many fire times were enqueued, and how many failed with a recorded error */
export async function fireDue(
  sql: Pool,
  options: { limit: number },
): Promise<{ enqueued: number; failed: number }> {
  const counts = { enqueued: 0, failed: 0 }
  for (let turn = 0; turn < options.limit; turn++) {
    const outcome = await fireNext(sql)
    if (outcome === null) break
    counts[outcome]++
  }
  if (counts.enqueued > 0) hintWork(sql)
  return counts
}

async function fireNext(sql: Pool): Promise<'enqueued' | 'failed' | null> {
  return await sql.begin(async (tx) => {
    // schedules_due_idx; the row lock makes two leaders take turns, and the second skips what is being fired.
    const [due] = await tx<DueSchedule[]>`
      select id, definition_key, definition_version, params, priority, cron, timezone, next_fire_at as fire_at, now()
      from job_server.schedules
      where enabled and next_fire_at <= now()
      order by next_fire_at
      limit 1
      for update skip locked`
    if (due === undefined) return null
    const fire = await attempt(() =>
      tx.savepoint(async (inner) => {
        const { definitionKey, definitionVersion, params, priority } = due
        return await enqueue(inner, { definitionKey, definitionVersion, params, priority })
      }),
    )
    await tx`
      insert into job_server.schedule_fires (schedule_id, fire_at, job_id, outcome, error)
      values (${due.id}, ${due.fireAt}, ${fire.jobId}, ${fire.outcome}, ${fire.error})
      on conflict on constraint schedule_fires_pk do nothing`
    const next = new Cron(due.cron, { timezone: due.timezone, paused: true }).nextRun(due.now)
    await tx`update job_server.schedules set next_fire_at = ${next}, updated_at = now() where id = ${due.id}`
    return fire.outcome
  })
}

type Fire =
  | { outcome: 'enqueued'; jobId: string; error: null }
  | { outcome: 'failed'; jobId: null; error: string }

async function attempt(run: () => Promise<Awaited<ReturnType<typeof enqueue>>>): Promise<Fire> {
  try {
    return { outcome: 'enqueued', jobId: (await run()).job.id, error: null }
  } catch (error) {
    // What the schedule asks for can't be had: it is recorded, and the other schedules go on.
    if (!(error instanceof DomainError)) throw error
    return { outcome: 'failed', jobId: null, error: error.message }
  }
}

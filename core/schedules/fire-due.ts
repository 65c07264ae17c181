/**
 * Fires the schedules that are due: enqueues their jobs, records each fire time and moves the schedules on, in one
 * transaction. Any number may do so at once: the row lock makes them take turns, and should a schedule ever be aimed
 * at a time again, (schedule, fire time) is unique, so the second job is undone with its record.
 *
 * Who is paused in the middle keeps its locks, and nobody else could fire those schedules; so PostgreSQL ends a
 * transaction that stands still, and its work is undone.
 */
import type postgres from 'postgres'
import { endWhenStill, type Pool, type Sql, waitBriefly } from '../db.ts'
import { jsonParameter } from '../queue/row.ts'
import { hintWork } from '../queue/wake.ts'
import { silentSeconds } from '../workers/read.ts'
import { carryOut, standstillSeconds } from './carry-out.ts'
import {
  abandonedReason,
  type Decision,
  type DueSchedule,
  decide,
  type ScheduleError,
  type Turn,
} from './decide.ts'
import { aimAt } from './due.ts'
import { unendedJobs } from './overlap.ts'
import { scheduleColumns } from './row.ts'

const schedulesPerPass = 50
const passes = 100
/** An open transaction of somebody may hold what a job needs: it is for the schedules of that job to wait. */
const patience = '500ms'

export interface Fired {
  enqueued: number
  skipped: number
  missed: number
  failed: number
  /** Errors that are no word of ours: the record does not show them. */
  errors: ScheduleError[]
}

export interface FireOptions {
  /** To stop: what is still due is for the next who looks. */
  signal?: AbortSignal | undefined
  /** Is given each pass, which never takes long. */
  watch?: (<Passed>(pass: Promise<Passed>) => Promise<Passed>) | undefined
}

export async function fireDue(
  sql: Pool,
  { signal, watch = (pass) => pass }: FireOptions = {},
): Promise<Fired> {
  const fired: Fired = { enqueued: 0, skipped: 0, missed: 0, failed: 0, errors: [] }
  const busy = new Set<string>()
  for (let pass = 0, isMore = true; isMore && pass < passes && !signal?.aborted; pass++) {
    const passed = await watch(sql.begin((tx) => firePass(tx, busy, fired.errors)))
    for (const { record } of passed.turns) fired[record.outcome]++
    isMore = passed.isMore
  }
  if (fired.enqueued > 0) hintWork(sql)
  return fired
}

/** @param busy ids of schedules that met what somebody holds: they are left out, and those that do are added */
async function firePass(
  tx: postgres.TransactionSql,
  busy: Set<string>,
  errors: ScheduleError[],
): Promise<{ turns: Turn[]; isMore: boolean }> {
  // schedules_due_idx
  const due = await tx<DueSchedule[]>`
    select
      ${scheduleColumns(tx)}, ${isAbandoned(tx)} as is_abandoned, ${wasAbandoned(tx)} as was_abandoned, now(), ${endWhenStill(tx, standstillSeconds)}, ${waitBriefly(tx, patience)}
    from job_server.schedules
    where due_at <= now() ${busy.size === 0 ? tx`` : tx`and id <> all(${[...busy]}::uuid[])`}
    order by due_at
    limit ${schedulesPerPass}
    for update skip locked`
  const [first] = due
  if (first === undefined) return { turns: [], isMore: false }
  const exclusive = due.filter(({ overlap }) => overlap !== 'allow')
  const unended = await unendedJobs(
    tx,
    exclusive.map(({ id }) => id),
  )
  const decided = due.map((schedule) => decide(schedule, unended.get(schedule.id) ?? [], errors))
  const planned = decided.flatMap(({ turns }) => turns)
  const carried = await carryOut(tx, planned, errors)
  // They stay due, and are tried again with the next look.
  for (const id of carried.busy) busy.add(id)
  const carriedOut = decided.filter(({ schedule }) => !busy.has(schedule.id))
  await moveOn(tx, carriedOut, carried.turns)
  const goesOn = carriedOut.some(({ next }) => next !== null && next <= first.now)
  return { turns: carried.turns, isMore: goesOn || due.length === schedulesPerPass }
}

/**
 * A worker that starts writes its schedules down some time before it first says that it lives. Workers of the version before do
 * not say which they have: those with the definition count as having its schedule.
 */
function isAbandoned(tx: Sql) {
  return tx`
    (
      coalesce(absent_since < now() - make_interval(secs => ${silentSeconds}), false)
      and not exists (
        select from job_server.workers
        where kind = 'worker' and heartbeat_at > now() - make_interval(secs => ${silentSeconds})
          and case
            when info ? 'schedules' then info -> 'schedules' ? schedules.name
            else info -> 'definitions' ? (definition_key || '@' || definition_version)
          end
      )
    )`
}

function wasAbandoned(tx: Sql) {
  // schedule_fires_pk, backwards, for those without code alone.
  return tx`
    case
      when absent_since is null then false
      else coalesce(
        (
          select reason = ${abandonedReason} from job_server.schedule_fires
          where schedule_id = schedules.id and not manual
          order by fire_at desc
          limit 1
        ),
        false
      )
    end`
}

async function moveOn(tx: Sql, decided: Decision[], written: Turn[]): Promise<void> {
  const lastJobs = new Map(
    written.filter(({ record }) => record.jobId !== null).map(({ record }) => [record.scheduleId, record]),
  )
  const rows = decided.map(({ schedule, next }) => {
    const { nextFireAt, dueAt } = aimAt(schedule, next)
    const last = lastJobs.get(schedule.id)
    return {
      id: schedule.id,
      nextFireAt: nextFireAt?.toISOString() ?? null,
      dueAt: dueAt?.toISOString() ?? null,
      lastFireAt: last?.fireAt.toISOString() ?? null,
      lastJobId: last?.jobId ?? null,
    }
  })
  await tx`
    update job_server.schedules set
      next_fire_at = given."nextFireAt",
      due_at = given."dueAt",
      last_fire_at = coalesce(given."lastFireAt", last_fire_at),
      last_job_id = coalesce(given."lastJobId", last_job_id)
    from jsonb_to_recordset(${tx.json(jsonParameter(rows))}) as given (
      id uuid, "nextFireAt" timestamptz, "dueAt" timestamptz, "lastFireAt" timestamptz, "lastJobId" uuid
    )
    where schedules.id = given.id`
}

/** Enqueues the jobs of fire times and records them, both or neither. */
import type postgres from 'postgres'
import { endWhenStill, isFaultOfData, isInUse, type Sql } from '../db.ts'
import { DomainError, wholeMessage } from '../errors.ts'
import { groupsOf } from '../groups.ts'
import { enqueueMany } from '../queue/enqueue.ts'
import type { ScheduleError, Turn } from './decide.ts'
import { withFireSpans } from './fire-spans.ts'
import { recordFires } from './record.ts'

/** Whoever holds something for half a second holds it for longer: the next that need it too are not to wait as long. */
const shortPatience = '20ms'
/** Those that are not tried by then are for the next look, as are those that met what somebody holds. */
const triesMs = 3000
/** Far above what the work of a transaction takes, as it is bounded in schedules and in jobs of each. */
export const standstillSeconds = 5

export interface CarriedOut {
  /** As they were recorded; a time that was fired before is not among them. */
  turns: Turn[]
  /** Ids of schedules of which nothing was done, as somebody holds what their jobs need. */
  busy: Set<string>
}

/** @param errors gets those that are no word of ours: the record does not show them */
export async function carryOut(
  tx: postgres.TransactionSql,
  turns: Turn[],
  errors: ScheduleError[],
): Promise<CarriedOut> {
  const ofSchedules = [...groupsOf(turns, ({ schedule }) => schedule.id)]
  const end = performance.now() + triesMs
  try {
    if (ofSchedules.length > 1) {
      return { turns: await part(tx, (inner) => writeAll(inner, turns)), busy: new Set() }
    }
  } catch (error) {
    if (!isRefusal(error) && !isInUse(error)) throw error
  }
  // Each by itself, so that what can't be had is recorded, and the others go on.
  const done: CarriedOut = { turns: [], busy: new Set() }
  for (const [scheduleId, own] of ofSchedules) {
    if (done.busy.size > 0 && performance.now() > end) {
      done.busy.add(scheduleId)
      continue
    }
    try {
      done.turns.push(...(await ofOne(tx, own, errors)))
    } catch (error) {
      if (!isInUse(error)) throw error
      done.busy.add(scheduleId)
    }
  }
  return done
}

/**
 * What may fail without the rest. After any error PostgreSQL measures no longer how long the transaction takes, until it is
 * asked to again; and who had to wait in vain once waits less from then on.
 */
async function part<Result>(
  tx: postgres.TransactionSql,
  act: (inner: postgres.TransactionSql) => Promise<Result>,
) {
  try {
    return await tx.savepoint(act)
  } catch (error) {
    if (isFaultOfData(error)) await tx`select ${endWhenStill(tx, standstillSeconds)}`
    if (isInUse(error)) {
      await tx`
        select ${endWhenStill(tx, standstillSeconds)}, set_config('lock_timeout', ${shortPatience}, true)`
    }
    throw error
  }
}

async function ofOne(tx: postgres.TransactionSql, turns: Turn[], errors: ScheduleError[]): Promise<Turn[]> {
  try {
    return await part(tx, (inner) => writeAll(inner, turns))
  } catch (error) {
    if (!isRefusal(error)) throw error
  }
  return await part(tx, (inner) => oneByOne(inner, turns, errors))
}

/** Turns of one schedule. */
async function oneByOne(
  tx: postgres.TransactionSql,
  turns: Turn[],
  errors: ScheduleError[],
): Promise<Turn[]> {
  const written: Turn[] = []
  /** What is wrong with the schedule's work is so at all its times: to try each would take the pass too long. */
  let refusal: DomainError | undefined
  for (const turn of turns) {
    try {
      if (refusal !== undefined && turn.record.outcome === 'enqueued') throw refusal
      written.push(...(await part(tx, (inner) => writeAll(inner, [turn]))))
    } catch (error) {
      if (!isRefusal(error)) throw error
      if (error instanceof FiredBefore) continue
      if (error instanceof DomainError) refusal = error
      else errors.push({ schedule: turn.schedule.name, error })
      const failed: Turn = {
        ...turn,
        record: { ...turn.record, outcome: 'failed', jobId: null, reason: reasonOf(error) },
      }
      if ((await recordFires(tx, [failed.record])) === 1) written.push(failed)
    }
  }
  return written
}

async function writeAll(tx: Sql, turns: Turn[]): Promise<Turn[]> {
  const enqueuing = turns.filter(({ record }) => record.outcome === 'enqueued')
  const enqueued = await withFireSpans(enqueuing, (inputs) => enqueueMany(tx, inputs))
  const jobs = new Map(enqueuing.map((turn, index) => [turn, enqueued[index]?.job.id ?? null]))
  const written = turns.map((turn) => ({
    ...turn,
    record: { ...turn.record, jobId: jobs.get(turn) ?? null },
  }))
  const recorded = await recordFires(
    tx,
    written.map(({ record }) => record),
  )
  if (recorded < written.length) throw new FiredBefore()
  return written
}

/** Undoes the jobs of a savepoint of which a time was recorded before. */
class FiredBefore extends Error {}

/** What is asked for can't be had; everything else, such as a lost connection or a deadlock, is to be tried again. */
function isRefusal(error: unknown): boolean {
  return error instanceof DomainError || error instanceof FiredBefore || isFaultOfData(error)
}

function reasonOf(error: unknown): string {
  return error instanceof DomainError
    ? wholeMessage(error)
    : "The job was refused; the scheduler's log says why."
}

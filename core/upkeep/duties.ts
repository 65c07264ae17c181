/**
 * The product's own schedules: each duty runs once in its interval, whoever looks and however many do. Its row is
 * claimed for the run, and the claim of one that died runs out. Runs fall on whole multiples of the interval, so that
 * a tick that comes once a minute finds a duty of each minute due every time.
 */
import type { Sql } from '../db.ts'
import type { Json } from '../json.ts'
import { jsonParameter } from '../queue/row.ts'

export interface Duty {
  name: string
  intervalSeconds: number
  /** @returns what it did, in numbers */
  run(): Promise<Json>
}

export interface DutyView {
  name: string
  intervalSeconds: number
  nextRunAt: Date
  running: boolean
  lastStartedAt: Date | null
  lastDurationSeconds: number | null
  /** What the last run did; null when it failed. */
  lastOutcome: Json
  lastError: string | null
}

/** After so long a run counts as dead. */
const claimSeconds = 300

/** Writes down which duties there are. Those of another version of the program stay. */
export async function registerDuties(sql: Sql, duties: Duty[]): Promise<void> {
  const names = duties.map(({ name }) => name)
  const intervals = duties.map(({ intervalSeconds }) => intervalSeconds)
  await sql`
    insert into job_server.upkeep_duties as known (name, interval_seconds)
    select * from unnest(${names}::text[], ${intervals}::float8[]) as given (name, interval_seconds)
    order by name
    on conflict on constraint upkeep_duties_pk do update set
      interval_seconds = excluded.interval_seconds,
      next_run_at = least(known.next_run_at, now() + make_interval(secs => excluded.interval_seconds))
    where known.interval_seconds <> excluded.interval_seconds`
}

export interface DutyRun {
  name: string
  outcome: Json
  /** Undefined when it went well. */
  error: unknown
}

/** Runs the duty that is due for longest. @returns null when none is due */
export async function runDueDuty(sql: Sql, duties: Duty[]): Promise<DutyRun | null> {
  const [claim] = await sql<{ name: string; run: string }[]>`
    with next as (
      select name from job_server.upkeep_duties
      where name = any(${duties.map(({ name }) => name)}) and next_run_at <= now()
        and (running_until is null or running_until < now())
      order by next_run_at, name
      limit 1
      for update skip locked
    )
    update job_server.upkeep_duties as duty set
      run = run + 1,
      running_until = now() + make_interval(secs => ${claimSeconds}),
      last_started_at = now(),
      next_run_at = date_bin(make_interval(secs => interval_seconds), now(), '2000-01-01Z') + make_interval(secs => interval_seconds)
    from next
    where duty.name = next.name
    returning duty.name, run`
  const duty = duties.find(({ name }) => name === claim?.name)
  if (claim === undefined || duty === undefined) return null
  const done = await carryOut(duty)
  // The run names itself: one that took too long does not write over its successor.
  await sql`
    update job_server.upkeep_duties set
      running_until = null,
      last_duration_seconds = extract(epoch from clock_timestamp() - last_started_at),
      last_outcome = ${sql.json(jsonParameter(done.outcome))},
      last_error = ${done.error === undefined ? null : sentenceOf(done.error)}
    where name = ${claim.name} and run = ${claim.run}`
  return done
}

export async function listDuties(sql: Sql): Promise<DutyView[]> {
  return await sql<DutyView[]>`
    select
      name, interval_seconds, next_run_at, coalesce(running_until > now(), false) as running, last_started_at,
      last_duration_seconds, last_outcome, last_error
    from job_server.upkeep_duties
    order by name`
}

async function carryOut({ name, run }: Duty): Promise<DutyRun> {
  try {
    return { name, outcome: await run(), error: undefined }
  } catch (error) {
    return { name, outcome: null, error }
  }
}

/** Shown to clients of the API: the log has the rest. */
function sentenceOf(error: unknown): string {
  return `${error instanceof Error ? error.name : 'Error'}: the log of the scheduler says more.`
}

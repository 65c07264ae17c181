/**
 * The product's own schedules: each duty runs once in its interval, whoever looks and however many do. Its row is
 * claimed for the run, and the claim of one that died runs out. Runs fall on whole multiples of the interval, so that
 * a tick that comes once a minute finds a duty of each minute due every time.
 */
import { setMaxListeners } from 'node:events'
import type postgres from 'postgres'
import type { Sql } from '../db.ts'
import type { Json } from '../json.ts'
import { jsonParameter } from '../queue/row.ts'

export interface Duty<Outcome extends Json = Json> {
  name: string
  intervalSeconds: number
  /** Before all that are due, however long those have been. */
  comesFirst?: boolean
  /** What it waits for may take its time: what others did is recorded before it is begun. */
  mayTakeLong?: boolean
  /**
   * @param signal tells it to come to an end soon, as others wait: what is left is done the next time
   * @returns what it did, in numbers
   */
  run(signal?: AbortSignal): Promise<Outcome>
  /** Until it is next due in place of the interval, after a run of which this is true. */
  rest?: { seconds: number; after(outcome: Outcome): boolean }
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
/** Nothing is begun under an older claim, and what runs then is told to end: the others are due again at once. */
const passSeconds = 50
/**
 * A duty that does not come to an end is no longer waited for. With the time in which it may begin, less than its claim, which
 * then runs out before another process takes it up; in this one it is not begun beside itself.
 */
const giveUpSeconds = 240
/** What takes so long is recorded at once. */
const longSeconds = 1
/** Those of this process that go on, given up or not: each that hangs has connections, of which there are few. */
const unsettled = new WeakSet<Duty>()

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

export interface PassOptions {
  /** To stop: nothing more is begun, and what runs is told so. */
  signal?: AbortSignal | undefined
  passSeconds?: number
  giveUpSeconds?: number
}

/**
 * Runs the duties that are due, one after the other, those first that have been due longest. One statement claims them all
 * and one records what they did: most find nothing to do, and would cost more statements to claim than to run. Those that can
 * not be begun in time are given back. Those of a runner that dies wait until its claim has run out.
 */
export async function runDueDuties(sql: Sql, duties: Duty[], options: PassOptions = {}): Promise<DutyRun[]> {
  if (options.signal?.aborted) return []
  const pass = beginPass(options)
  const runs: DutyRun[] = []
  const unrecorded: Done[] = []
  const recordAll = () => record(sql, unrecorded.splice(0))
  try {
    let waiting = await claimDue(sql, duties)
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { duty, run } = next
      if (duty.mayTakeLong) await recordAll()
      const running = carryOut(duty, pass.signal, options.giveUpSeconds ?? giveUpSeconds)
      await Promise.race([running, pass.isOver])
      if (pass.signal.aborted) {
        // Now, and not when this one has ended: who stops may be killed before.
        await giveBack(sql, waiting)
        waiting = []
        await recordAll()
      }
      const done = { ...(await running), run }
      runs.push(done)
      unrecorded.push(done)
      // Nobody should take what took long for still running.
      if (done.durationSeconds >= longSeconds) await recordAll()
    }
    await recordAll()
  } finally {
    pass.end()
  }
  return runs
}

function beginPass(options: PassOptions) {
  const { signal: told } = options
  const over = new AbortController()
  // Many requests at once listen to it, of which Node would warn.
  setMaxListeners(0, over.signal)
  const isOver = new Promise<void>((resolve) => {
    over.signal.addEventListener('abort', () => resolve())
  })
  const stop = () => over.abort()
  const timer = setTimeout(stop, 1000 * (options.passSeconds ?? passSeconds))
  told?.addEventListener('abort', stop)
  return {
    signal: over.signal,
    isOver,
    end: () => {
      clearTimeout(timer)
      told?.removeEventListener('abort', stop)
    },
  }
}

interface Claim {
  name: string
  /** The run names itself: one that took too long does not write over its successor. */
  run: string
  dueAt: Date
  /** Of the run before. */
  startedAt: Date | null
}

async function claimDue(sql: Sql, duties: Duty[]): Promise<(Claim & { duty: Duty })[]> {
  const idle = duties.filter((duty) => !unsettled.has(duty))
  const claims = await sql<Claim[]>`
    with due as (
      select name, next_run_at as due_at, last_started_at as started_at from job_server.upkeep_duties
      where name = any(${idle.map(({ name }) => name)}) and next_run_at <= now()
        and (running_until is null or running_until < now())
      for update skip locked
    )
    update job_server.upkeep_duties as duty set
      run = run + 1,
      running_until = now() + make_interval(secs => ${claimSeconds}),
      last_started_at = now(),
      next_run_at = ${nextMultiple(sql, sql`interval_seconds`)}
    from due
    where duty.name = due.name
    returning duty.name, run, due_at, started_at`
  const byName = new Map(claims.map((claim) => [claim.name, claim]))
  return idle
    .flatMap((duty) => {
      const claim = byName.get(duty.name)
      return claim === undefined ? [] : { ...claim, duty }
    })
    .sort((one, other) => placeOf(one) - placeOf(other))
}

function placeOf({ duty, dueAt }: { duty: Duty; dueAt: Date }): number {
  return duty.comesFirst ? 0 : dueAt.getTime()
}

/** As if they had not been claimed. */
async function giveBack(sql: Sql, claims: Claim[]): Promise<void> {
  if (claims.length === 0) return
  const rows = claims.map(({ name, run, dueAt, startedAt }) => ({
    name,
    run,
    dueAt: dueAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
  }))
  await sql`
    update job_server.upkeep_duties as duty set
      running_until = null, next_run_at = given."dueAt", last_started_at = given."startedAt"
    from jsonb_to_recordset(${sql.json(jsonParameter(rows))}) as given (
      name text, run bigint, "dueAt" timestamptz, "startedAt" timestamptz
    )
    where duty.name = given.name and duty.run = given.run`
}

interface Done extends DutyRun, Pick<Claim, 'run'> {
  isGivenUp: boolean
  durationSeconds: number
  /** Until it is next due; null: its interval. */
  restSeconds: number | null
}

async function record(sql: Sql, done: Done[]): Promise<void> {
  if (done.length === 0) return
  const rows = done.map(({ name, run, isGivenUp, outcome, error, durationSeconds, restSeconds }) => ({
    name,
    run,
    isGivenUp,
    outcome,
    error: error === undefined ? null : sentenceOf(error),
    durationSeconds,
    restSeconds,
  }))
  await sql`
    update job_server.upkeep_duties as duty set
      running_until = case when done."isGivenUp" then running_until end,
      last_duration_seconds = done."durationSeconds",
      last_outcome = done.outcome,
      last_error = done.error,
      next_run_at = case when done."restSeconds" is null then next_run_at else ${nextMultiple(sql, sql`done."restSeconds"`)} end
    from jsonb_to_recordset(${sql.json(jsonParameter(rows))}) as done (
      name text, run bigint, "isGivenUp" boolean, outcome jsonb, error text, "durationSeconds" float8, "restSeconds" float8
    )
    where duty.name = done.name and duty.run = done.run`
}

/** The next time that is a whole multiple of so many seconds. */
function nextMultiple(sql: Sql, seconds: postgres.PendingQuery<postgres.Row[]>) {
  return sql`date_bin(make_interval(secs => ${seconds}), now(), '2000-01-01Z') + make_interval(secs => ${seconds})`
}

export async function listDuties(sql: Sql): Promise<DutyView[]> {
  return await sql<DutyView[]>`
    select
      name, interval_seconds, next_run_at, coalesce(running_until > now(), false) as running, last_started_at,
      last_duration_seconds, last_outcome, last_error
    from job_server.upkeep_duties
    order by name`
}

async function carryOut(duty: Duty, signal: AbortSignal, seconds: number): Promise<Omit<Done, 'run'>> {
  const { name, rest } = duty
  const startedAt = performance.now()
  const durationSeconds = () => (performance.now() - startedAt) / 1000
  let timer: NodeJS.Timeout | undefined
  let isGivenUp = false
  const givenUp = new Promise<never>((_, reject) => {
    const giveUp = () => {
      isGivenUp = true
      reject(new Error(`It does not come to an end: given up after ${seconds} s.`))
    }
    timer = setTimeout(giveUp, 1000 * seconds)
  })
  try {
    const outcome = await Promise.race([untilSettled(duty, signal), givenUp])
    const restSeconds = rest?.after(outcome) ? rest.seconds : null
    return { name, isGivenUp, outcome, error: undefined, durationSeconds: durationSeconds(), restSeconds }
  } catch (error) {
    return { name, isGivenUp, outcome: null, error, durationSeconds: durationSeconds(), restSeconds: null }
  } finally {
    clearTimeout(timer)
  }
}

async function untilSettled(duty: Duty, signal: AbortSignal): Promise<Json> {
  unsettled.add(duty)
  try {
    return await duty.run(signal)
  } finally {
    unsettled.delete(duty)
  }
}

/** Shown to clients of the API: the log has the rest. */
function sentenceOf(error: unknown): string {
  return `${error instanceof Error ? error.name : 'Error'}: the log of the scheduler says more.`
}

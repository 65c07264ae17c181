/**
 * Owns slots and leases: claims jobs for its free slots, gives each to a process of its own, keeps the leases,
 * and ends the attempts. All state it holds can be lost at any moment; what counts is in PostgreSQL.
 *
 *   stopped ──start──► running ──stop──► draining (claims nothing, running jobs have the grace) ──► stopped
 *
 * It looks for work when a notification hints at some, when a slot gets free, when the next delayed job is
 * due, and at every poll interval whatever happens. A slot that gets free only claims; the other occasions also
 * tend the queue: stage, admit. Polls, and the end of a lease that nobody renewed, also rescue.
 *
 * A slot is held by a turn: one job, or, where jobs are short and share processes, as many as are done in a moment.
 */
import type { Config } from '../core/config.ts'
import { isAway, type Pool } from '../core/db.ts'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import { definitionName, definitionNameOf } from '../core/definitions/name.ts'
import type { JobTools } from '../core/job.ts'
import { jobLimitsOf } from '../core/job-limits.ts'
import type { Log } from '../core/log.ts'
import { limitFamilies, usageFamilies } from '../core/metrics/process.ts'
import { admitWaiting } from '../core/queue/admit.ts'
import type { ClaimedJob, ClaimRequest } from '../core/queue/claim.ts'
import { rescue } from '../core/queue/finish.ts'
import { sweep } from '../core/queue/release.ts'
import { stage } from '../core/queue/stage.ts'
import type { SilenceWatch } from '../core/silence-watch.ts'
import type { Storage } from '../core/storage/client.ts'
import type { Tracing } from '../core/trace/open.ts'
import { beat, signOff } from '../core/workers/beat.ts'
import { Attempt, type AttemptDependencies } from './attempt.ts'
import { Claimer } from './claimer.ts'
import { Finisher } from './finisher.ts'
import { FleetView } from './fleet-view.ts'
import { HookRunner } from './hook-runner.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { LimitWatch } from './limits.ts'
import { Pace } from './pace.ts'
import { Passes } from './passes.ts'
import { prepareParams } from './prepare-params.ts'
import { Reporter } from './reporter.ts'
import { Scratch } from './scratch.ts'
import { Standby } from './standby.ts'
import { Turn } from './turn.ts'
import { WakeListener } from './wake-listener.ts'
import { WorkerMetrics } from './worker-metrics.ts'

const stageLimit = 1000
const rescueLimit = 100
const beatMs = 10_000
/** Between two times of tending, where hints call for more. */
const tendMs = 20

export interface CoordinatorOptions {
  sql: Pool
  openListener(): Pool
  storage: Storage
  tools: JobTools
  /** Announced, so that what no worker can encode is refused before it is enqueued. */
  ffmpeg: { version: string; encoders: string[] }
  workerId: string
  config: Config
  /** Where the few variables that job processes may see are taken from. */
  environment: Record<string, string | undefined>
  tracing: Tracing
  silence: SilenceWatch
  log: Log
}

/** A turn under way that others of its definition may join. */
interface OpenTurn {
  /** The first of it. */
  job: ClaimedJob
  definition: DefinitionRecord
  turn: Turn
  /** How many more. */
  room: number
}

export class Coordinator {
  readonly #attempts = new Map<string, Attempt>()
  readonly #turns = new Set<Turn>()
  /** Of each job that was claimed, until its end is written. */
  readonly #ends = new Set<Promise<unknown>>()
  readonly #pace = new Pace()
  readonly #stagings = new Passes()
  readonly #rescues = new Passes()
  readonly #claimer: Claimer
  readonly #finisher: Finisher
  readonly #hooks: HookRunner
  readonly #keeper: LeaseKeeper
  readonly #listener: WakeListener
  readonly #reporter: Reporter
  readonly #limits: LimitWatch
  readonly #scratch: Scratch
  readonly #standby: Standby
  readonly #attemptDependencies: AttemptDependencies
  readonly #metrics = new WorkerMetrics()
  readonly #log: Log
  #definitions = new Map<string, DefinitionRecord>()
  #state: 'stopped' | 'running' | 'draining' = 'stopped'
  #stopping: Promise<void> | undefined
  #looking: Promise<void> | undefined
  #lookAgain = false
  #rescuing: Promise<void> | undefined
  #tendWanted = false
  #tendedAt = Number.NEGATIVE_INFINITY
  #tendTimer: NodeJS.Timeout | undefined
  #leasesWanted = false
  #limited = false
  #lanes = 0
  #admittedUpTo: string | null = null
  #beatAt = Number.NEGATIVE_INFINITY
  /** Nothing is claimed before: it could not be run. */
  #ableFrom = Number.NEGATIVE_INFINITY
  #pollTimer: NodeJS.Timeout | undefined
  #beatTimer: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined
  #dueTimer: NodeJS.Timeout | undefined
  #leaseTimer: NodeJS.Timeout | undefined

  constructor(private readonly options: CoordinatorOptions) {
    const { sql, config, silence, log } = options
    this.#log = log
    this.#claimer = new Claimer({
      sql,
      served: () => ({ definitions: [...this.#definitions.values()], queues: config.QUEUES }),
      found: () => this.#lookSoon(),
      log,
    })
    this.#finisher = new Finisher(sql, {
      leaseSeconds: config.LEASE_DURATION_SECONDS,
      metrics: this.#metrics,
      log,
    })
    this.#listener = new WakeListener({
      open: options.openListener,
      sql,
      workerId: options.workerId,
      onWork: () => this.wake(),
      onCancel: (jobId) => this.#cancelHinted(jobId),
      log,
    })
    this.#keeper = new LeaseKeeper(
      sql,
      {
        lost: (lease) => this.#attempts.get(lease.epoch)?.stop('lease_lost'),
        cancelling: (lease) => this.#attempts.get(lease.epoch)?.stop('cancelled'),
      },
      { leaseSeconds: config.LEASE_DURATION_SECONDS, silence, log },
    )
    this.#reporter = new Reporter(sql, log, { leaseSeconds: config.LEASE_DURATION_SECONDS })
    this.#limits = new LimitWatch(log)
    this.#scratch = new Scratch(config.SCRATCH_DIRECTORY)
    this.#standby = new Standby({
      size: config.STANDBY_PROCESSES,
      usedSize: config.MAX_CONCURRENT_EXECUTIONS,
      root: config.SCRATCH_DIRECTORY,
      directory: this.#scratch.directory,
      environment: options.environment,
      jobVariables: config.JOB_ENVIRONMENT,
      metrics: this.#metrics,
      log,
    })
    const fleet = new FleetView(sql, { slots: config.MAX_CONCURRENT_EXECUTIONS, log })
    this.#attemptDependencies = {
      sql,
      storage: options.storage,
      reporter: this.#reporter,
      tools: options.tools,
      jobLimits: jobLimitsOf(config),
      fleetFor: (definition) => fleet.tell(definition),
      stopGraceSeconds: config.CANCEL_GRACE_SECONDS,
      log,
      paramsOf: (job) => prepareParams(sql, job, config),
      tracer: options.tracing.tracer,
      finish: (lease, end) => this.#finisher.finish(lease, end),
      finishWithChildren: (lease, children) => this.#finisher.finishWithChildren(lease, children),
    }
    this.#hooks = new HookRunner({
      sql,
      standby: this.#standby,
      scratch: this.#scratch,
      tools: options.tools,
      jobLimits: jobLimitsOf(config),
      log,
      definitions: () => this.#definitions,
    })
  }

  get runningJobs(): number {
    return this.#attempts.size
  }

  /** Takes effect with the next claim; what runs goes on with the code it began with. */
  setDefinitions(definitions: DefinitionRecord[]): void {
    this.#definitions = new Map(definitions.map((definition) => [definitionName(definition), definition]))
    this.#standby.renew()
    this.wake()
  }

  async start(): Promise<void> {
    if (this.#state !== 'stopped') return
    this.#state = 'running'
    await this.#scratch.start()
    await this.#standby.start()
    this.#keeper.start()
    await this.#listener.start()
    this.#pollTimer = setInterval(() => this.#poll(), this.options.config.POLL_INTERVAL_SECONDS * 1000)
    // Whoever polls less often is alive all the same.
    this.#beatTimer = setInterval(() => this.#beatIfDue(), beatMs)
    this.#poll()
  }

  /** Drains: resolves when nothing of this coordinator runs any more and every job has an end or went back. */
  stop(): Promise<void> {
    if (this.#state === 'stopped') return Promise.resolve()
    this.#stopping ??= this.#drain()
    return this.#stopping
  }

  /** Ends every process now, without waiting for the grace. */
  interrupt(): void {
    for (const attempt of this.#attempts.values()) attempt.stop('interrupted')
  }

  /** Tend the queue and look for work soon; calls while a look is under way make one more follow it. */
  wake(): void {
    this.#tendWanted = true
    this.#lookSoon()
  }

  /** Whoever died is noticed here: so it also learns when the leases of others end that are not renewed. */
  #poll(): void {
    this.#leasesWanted = true
    this.#rescuing ??= this.#rescue().finally(() => {
      this.#rescuing = undefined
    })
    this.wake()
  }

  /** Beside the looks for work, which need not wait for it. */
  async #rescue(): Promise<void> {
    if (this.#state !== 'running') return
    const { sql, log } = this.options
    try {
      const pass = this.#rescues.begin()
      const { withinSeconds } = pass
      const rescued = await rescue(sql, { limit: rescueLimit, withinSeconds })
      this.#rescues.end(pass, rescued.length < rescueLimit)
      if (rescued.length === 0) return
      // Who lost its lease may have died between the end of a job and what follows from it.
      await sweep(sql)
      this.#lookSoon()
      if (rescued.length === rescueLimit) setImmediate(() => this.#poll())
    } catch (error) {
      log.warn({ err: error }, 'rescue.failed')
    }
  }

  #lookSoon(): void {
    if (this.#state !== 'running') return
    if (this.#looking !== undefined) {
      this.#lookAgain = true
      return
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined
      if (!this.#lookAgain) return
      this.#lookAgain = false
      this.#lookSoon()
    })
  }

  async #look(): Promise<void> {
    const { silence } = this.options
    try {
      // First, since most hints are of jobs that are ready: none should wait for the tending.
      await this.#claim()
      if (this.#isTimeToTend() && (await silence.over(this.#tend()))) await this.#claim()
      await silence.over(this.#hooks.runOnce())
    } catch (error) {
      this.#log.warn({ err: error }, 'look.failed')
    }
  }

  /** Hints may come by the hundred a second: to tend the queue for each would keep the next waiting. */
  #isTimeToTend(): boolean {
    if (!this.#tendWanted) return false
    const earlyMs = this.#tendedAt + tendMs - performance.now()
    if (earlyMs > 0) {
      this.#tendTimer ??= setTimeout(() => {
        this.#tendTimer = undefined
        this.wake()
      }, earlyMs)
      return false
    }
    this.#tendWanted = false
    this.#tendedAt = performance.now()
    return true
  }

  /** @returns whether there may be more to claim than before */
  async #tend(): Promise<boolean> {
    const { sql } = this.options
    const leases = this.#leasesWanted
    const pass = this.#stagings.begin()
    const { staged, nextDueInSeconds, nextLeaseEndInSeconds, limited, lanes, blocked } = await stage(sql, {
      limit: stageLimit,
      withinSeconds: pass.withinSeconds,
      leases,
      cursors: this.#claimer.cursors,
    })
    this.#stagings.end(pass, staged < stageLimit)
    if (leases) this.#leasesWanted = false
    if (staged === stageLimit) this.wake()
    this.#limited = limited
    this.#lanes = lanes
    this.#dueTimer = this.#inSeconds(nextDueInSeconds, this.#dueTimer, () => {
      this.#tendedAt = Number.NEGATIVE_INFINITY
      this.wake()
    })
    if (leases) {
      this.#leaseTimer = this.#inSeconds(nextLeaseEndInSeconds, this.#leaseTimer, () => this.#poll())
    }
    if (blocked) {
      this.#admittedUpTo = await admitWaiting(sql, this.#admittedUpTo)
      // More keys wait than one look takes.
      if (this.#admittedUpTo !== null) this.wake()
    }
    if (performance.now() >= this.#beatAt) await this.#beat()
    return staged > 0 || blocked || limited
  }

  async #claim(): Promise<void> {
    if (performance.now() < this.#ableFrom) return
    await this.#finisher.hasRoom()
    const free = this.options.config.MAX_CONCURRENT_EXECUTIONS - this.#turns.size
    const claimedAt = performance.now()
    const jobs = await this.#claimUpTo(free, [...this.#definitions.values()])
    const begun = jobs.map((job) => this.#begin(job, claimedAt))
    const open = begun.flatMap((turn) => (turn !== null && turn.room > 0 ? turn : []))
    // Fewer than there is room for: nothing waits that could go along.
    if (jobs.length === free && open.length > 0) await this.#fill(open)
  }

  async #claimUpTo(
    limit: number,
    definitions: DefinitionRecord[],
    options: Pick<ClaimRequest, 'mostlyFrom'> = {},
  ): Promise<ClaimedJob[]> {
    const { config, workerId, silence } = this.options
    const leaseSeconds = config.LEASE_DURATION_SECONDS
    return await silence.over(
      this.#claimer.claim(
        { workerId, definitions, queues: config.QUEUES, limit, leaseSeconds, ...options },
        { limited: this.#limited, lanes: this.#lanes },
      ),
    )
  }

  /** Gives turns of short jobs more of the same. Whose turn it is was decided by priority and age before. */
  async #fill(open: OpenTurn[]): Promise<void> {
    // Their first jobs run meanwhile, and may be done before the others are there.
    for (const { turn } of open) turn.hold()
    try {
      const definitions = new Set(open.map(({ definition }) => definition))
      const room = open.reduce((sum, turn) => sum + turn.room, 0)
      const claimedAt = performance.now()
      const mostlyFrom = {
        lanes: open.map(({ job }) => job),
        priority: Math.min(...open.map(({ job }) => job.priority)),
      }
      for (const job of await this.#claimUpTo(room, [...definitions], { mostlyFrom })) {
        const [roomiest] = open
          .filter((turn) => definitionNameOf(turn.job) === definitionNameOf(job))
          .sort((one, other) => other.room - one.room)
        if (roomiest === undefined || this.#state !== 'running') this.#giveBack(job)
        else {
          roomiest.room--
          roomiest.turn.add()
          void this.#attempt(job, roomiest.definition, roomiest.turn, claimedAt)
        }
      }
    } finally {
      await Promise.all(open.map(({ turn }) => turn.leave()))
    }
  }

  #beatIfDue(): void {
    if (performance.now() < this.#beatAt) return
    this.#beating = this.#beat().catch((error) => this.#log.warn({ err: error }, 'beat.failed'))
  }

  async #beat(): Promise<void> {
    const { sql, config, workerId, tracing } = this.options
    this.#beatAt = performance.now() + beatMs
    // One that drains lives, and takes up nothing any more: nobody is to count on it.
    const isOpen = this.#state === 'running'
    const definitions = isOpen ? [...this.#definitions.values()] : []
    const info = {
      queues: config.QUEUES,
      definitions: definitions.map(definitionName),
      schedules: definitions.filter(({ schedule }) => schedule !== null).map(definitionName),
      pid: process.pid,
      bun: Bun.version,
      ffmpeg: isOpen ? { ...this.options.ffmpeg } : { version: this.options.ffmpeg.version },
    }
    const limits = limitFamilies('job_server_worker', {
      poolSize: config.DATABASE_POOL_SIZE,
      spansDropped: tracing.dropped(),
    })
    const metrics = [...this.#metrics.families(), ...limits, ...usageFamilies('job_server_worker')]
    const slots = isOpen ? config.MAX_CONCURRENT_EXECUTIONS : this.#turns.size
    await beat(sql, { id: workerId, kind: 'worker', slots, info, metrics })
  }

  /** @returns null when the job goes back: its file went away, or the drain began, while the claim was under way */
  #begin(job: ClaimedJob, claimedAt: number): OpenTurn | null {
    const definition = this.#definitions.get(definitionNameOf(job))
    if (definition === undefined || this.#state !== 'running') {
      this.#giveBack(job)
      return null
    }
    const turn = new Turn(definition, job.lease.epoch, {
      standby: this.#standby,
      scratch: this.#scratch,
      limits: this.#limits,
      log: this.#log,
    })
    this.#turns.add(turn)
    const written = this.#attempt(job, definition, turn, claimedAt)
    const room = this.#pace.jobsPerTurn(definition) - 1
    // Of short jobs the next are taken up while the ends of these are written.
    void (room > 0 ? turn.over : written).then(() => {
      this.#turns.delete(turn)
      if (turn.jobMs !== undefined) this.#pace.note(definition, turn.jobMs)
      this.#lookSoon()
    })
    return { job, definition, turn, room }
  }

  #giveBack({ lease }: ClaimedJob): void {
    this.#awaitEnd(this.#finisher.finish(lease, { kind: 'interrupted' }))
  }

  #awaitEnd(written: Promise<unknown>): void {
    this.#ends.add(written)
    void written.finally(() => this.#ends.delete(written))
  }

  /** Resolves when its end is written. */
  #attempt(job: ClaimedJob, definition: DefinitionRecord, turn: Turn, claimedAt: number): Promise<void> {
    this.#keeper.keep(job.lease, claimedAt)
    const attempt = new Attempt(job, definition, turn, this.#attemptDependencies)
    this.#attempts.set(job.lease.epoch, attempt)
    const written = attempt.done
      .catch((error) => this.#abandon(attempt, error))
      .finally(() => {
        this.#attempts.delete(job.lease.epoch)
        this.#keeper.release(job.lease)
      })
    this.#awaitEnd(written)
    return written
  }

  /**
   * The attempt could not be carried out for a reason of ours. What the system refuses us (disk full, no process to be had)
   * it would refuse for the next job, too: the others may have them, and this worker waits until the next poll. The same where
   * the database was away before the job began.
   */
  async #abandon({ job, wasGiven }: Attempt, error: unknown): Promise<void> {
    this.#log.error({ err: error, jobId: job.lease.jobId }, 'attempt.broken')
    if (isRefusalOfSystem(error) || (isAway(error) && !wasGiven)) {
      this.#ableFrom = performance.now() + this.options.config.POLL_INTERVAL_SECONDS * 1000
      await this.#finisher.finish(job.lease, { kind: 'interrupted' })
      return
    }
    const message = `The worker could not run the attempt: ${error instanceof Error ? error.message : error}`
    await this.#finisher.finish(job.lease, {
      kind: 'failed',
      outcome: 'worker_error',
      errorCode: 'worker_error',
      message,
      retry: true,
      retryInSeconds: this.options.config.POLL_INTERVAL_SECONDS,
      crashed: false,
    })
  }

  #cancelHinted(jobId: string): void {
    for (const { job } of this.#attempts.values()) if (job.lease.jobId === jobId) this.#keeper.renew()
  }

  /** In place of an earlier timer; none where the poll comes first. */
  #inSeconds(
    seconds: number | null,
    earlier: NodeJS.Timeout | undefined,
    act: () => void,
  ): NodeJS.Timeout | undefined {
    clearTimeout(earlier)
    if (seconds === null || seconds > this.options.config.POLL_INTERVAL_SECONDS) return undefined
    return setTimeout(act, seconds * 1000 + 1)
  }

  async #signOff(): Promise<void> {
    try {
      await signOff(this.options.sql, this.options.workerId)
    } catch (error) {
      this.#log.warn({ err: error }, 'sign_off.failed')
    }
  }

  async #drain(): Promise<void> {
    this.#state = 'draining'
    clearInterval(this.#pollTimer)
    clearTimeout(this.#dueTimer)
    clearTimeout(this.#tendTimer)
    clearTimeout(this.#leaseTimer)
    // The grace begins now, however long the database takes to answer.
    const deadline = setTimeout(() => this.interrupt(), this.options.config.SHUTDOWN_GRACE_SECONDS * 1000)
    await this.#looking
    await this.#rescuing
    await this.#claimer.stop()
    for (const turn of this.#turns) turn.giveBack()
    // Nothing is claimed any more, so none is added.
    await Promise.all(this.#ends)
    clearTimeout(deadline)
    await this.#hooks.stop()
    await this.#keeper.stop()
    await this.#listener.stop()
    await this.#standby.stop()
    await this.#scratch.stop()
    clearInterval(this.#beatTimer)
    // It would come after the sign-off.
    await this.#beating
    await this.#signOff()
    this.#state = 'stopped'
    this.#stopping = undefined
  }
}

/** As Node's modules tell of a system call that failed. */
function isRefusalOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

/**
 * Owns slots and leases: claims jobs for its free slots, gives each to a process of its own, keeps the leases,
 * and ends the attempts. All state it holds can be lost at any moment; what counts is in PostgreSQL.
 *
 *   stopped ──start──► running ──stop──► draining (claims nothing, running jobs have the grace) ──► stopped
 *
 * It looks for work when a notification hints at some, when a slot gets free, when the next delayed job is
 * due, and at every poll interval whatever happens.
 */
import postgres from 'postgres'
import type { Config } from '../core/config.ts'
import type { Pool } from '../core/db.ts'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import type { Log } from '../core/log.ts'
import { admitWaiting } from '../core/queue/admit.ts'
import { type ClaimedJob, claim } from '../core/queue/claim.ts'
import { type End, type Finished, finish, rescue } from '../core/queue/finish.ts'
import { sweep } from '../core/queue/release.ts'
import type { Lease } from '../core/queue/row.ts'
import { stage } from '../core/queue/stage.ts'
import { cancelChannel, workChannel } from '../core/queue/wake.ts'
import type { Storage } from '../core/storage/client.ts'
import { Attempt } from './attempt.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { Reporter } from './reporter.ts'
import { Scratch } from './scratch.ts'
import { Standby } from './standby.ts'

const stageLimit = 1000
const rescueLimit = 100
const retryFinishMs = 500

export interface CoordinatorOptions {
  sql: Pool
  listener: Pool
  storage: Storage
  tools: { ffmpeg: string; ffprobe: string }
  workerId: string
  config: Config
  /** Where the few variables that job processes may see are taken from. */
  environment: Record<string, string | undefined>
  log: Log
}

export class Coordinator {
  readonly #attempts = new Map<string, Attempt>()
  readonly #keeper: LeaseKeeper
  readonly #reporter: Reporter
  readonly #scratch: Scratch
  readonly #standby: Standby
  readonly #log: Log
  #definitions = new Map<string, DefinitionRecord>()
  #state: 'stopped' | 'running' | 'draining' = 'stopped'
  #stopping: Promise<void> | undefined
  #looking: Promise<void> | undefined
  #lookAgain = false
  #admittedUpTo: string | null = null
  #pollTimer: NodeJS.Timeout | undefined
  #dueTimer: NodeJS.Timeout | undefined

  constructor(private readonly options: CoordinatorOptions) {
    const { sql, config, log } = options
    this.#log = log
    this.#keeper = new LeaseKeeper(
      sql,
      {
        lost: (lease) => this.#attempts.get(lease.epoch)?.stop('lease_lost'),
        cancelling: (lease) => this.#attempts.get(lease.epoch)?.stop('cancelled'),
      },
      { leaseSeconds: config.LEASE_DURATION_SECONDS, log },
    )
    this.#reporter = new Reporter(sql, log)
    this.#scratch = new Scratch(config.SCRATCH_DIRECTORY)
    this.#standby = new Standby({
      size: config.STANDBY_PROCESSES,
      workingDirectory: this.#scratch.directory,
      environment: options.environment,
      log,
    })
  }

  get runningJobs(): number {
    return this.#attempts.size
  }

  /** Takes effect with the next claim; what runs goes on with the code it began with. */
  setDefinitions(definitions: DefinitionRecord[]): void {
    this.#definitions = new Map(definitions.map((definition) => [nameOf(definition), definition]))
    this.wake()
  }

  async start(): Promise<void> {
    if (this.#state !== 'stopped') return
    this.#state = 'running'
    await this.#scratch.start()
    this.#standby.start()
    this.#keeper.start()
    await this.#listen()
    this.#pollTimer = setInterval(() => this.wake(), this.options.config.POLL_INTERVAL_SECONDS * 1000)
    this.wake()
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

  /** Look for work soon; calls while a look is under way make one more follow it. */
  wake(): void {
    if (this.#state !== 'running') return
    if (this.#looking !== undefined) {
      this.#lookAgain = true
      return
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined
      if (!this.#lookAgain) return
      this.#lookAgain = false
      this.wake()
    })
  }

  async #look(): Promise<void> {
    const { sql, config } = this.options
    try {
      const rescued = await rescue(sql, { limit: rescueLimit })
      // Who lost its lease may have died between the end of a job and what follows from it.
      if (rescued.length > 0) await sweep(sql)
      const { staged, nextDueInSeconds, limited, blocked } = await stage(sql, { limit: stageLimit })
      if (blocked) this.#admittedUpTo = await admitWaiting(sql, this.#admittedUpTo)
      if (staged === stageLimit) this.#lookAgain = true
      this.#wakeIn(nextDueInSeconds)
      const free = config.MAX_CONCURRENT_EXECUTIONS - this.#attempts.size
      const claimedAt = performance.now()
      const request = {
        workerId: this.options.workerId,
        definitions: [...this.#definitions.values()],
        queues: config.QUEUES,
        limit: free,
        leaseSeconds: config.LEASE_DURATION_SECONDS,
      }
      const jobs = await claim(sql, request, { limited })
      await Promise.all(jobs.map((job) => this.#begin(job, claimedAt)))
    } catch (error) {
      this.#log.warn({ err: error }, 'look.failed')
    }
  }

  /** Resolves when the attempt is under way, or the job given back. */
  async #begin(job: ClaimedJob, claimedAt: number): Promise<void> {
    const definition = this.#definitions.get(`${job.definitionKey}@${job.definitionVersion}`)
    if (definition === undefined || this.#state !== 'running') {
      // Its file went away, or the drain began, while the claim was under way.
      await this.#finish(job.lease, { kind: 'interrupted' })
      return
    }
    this.#keeper.keep(job.lease, claimedAt)
    const attempt = new Attempt(job, definition, {
      sql: this.options.sql,
      storage: this.options.storage,
      standby: this.#standby,
      scratch: this.#scratch,
      reporter: this.#reporter,
      tools: this.options.tools,
      stopGraceSeconds: this.options.config.CANCEL_GRACE_SECONDS,
      log: this.#log,
      finish: (lease, end) => this.#finish(lease, end),
    })
    this.#attempts.set(job.lease.epoch, attempt)
    attempt.done
      .catch((error) => this.#abandon(job, error))
      .finally(() => {
        this.#attempts.delete(job.lease.epoch)
        this.#keeper.release(job.lease)
        this.wake()
      })
  }

  /** The attempt could not be carried out for a reason of ours (disk full, no process to be had). */
  async #abandon(job: ClaimedJob, error: unknown): Promise<void> {
    this.#log.error({ err: error, jobId: job.lease.jobId }, 'attempt.broken')
    const message = `The worker could not run the attempt: ${error instanceof Error ? error.message : error}`
    await this.#finish(job.lease, {
      kind: 'failed',
      outcome: 'worker_error',
      errorCode: 'worker_error',
      message,
      retry: true,
      retryInSeconds: this.options.config.POLL_INTERVAL_SECONDS,
      crashed: false,
    })
  }

  /**
   * Tries until the database answered: the end of an attempt must not be lost while the lease is ours. An end
   * that the database refuses for what it holds would be refused for ever; the attempt fails with that instead.
   */
  async #finish(lease: Lease, end: End): Promise<Finished | 'lost' | 'unknown'> {
    const giveUpAt = performance.now() + this.options.config.LEASE_DURATION_SECONDS * 1000
    for (;;) {
      try {
        const { finished } = await finish(this.options.sql, [{ lease, end }])
        return finished[0] ?? 'lost'
      } catch (error) {
        this.#log.warn({ err: error, jobId: lease.jobId }, 'finish.failed')
        if (isRefusedData(error) && end.kind === 'succeeded') return await this.#finish(lease, unstorable)
        if (performance.now() > giveUpAt) return 'unknown'
        await new Promise((resolve) => setTimeout(resolve, retryFinishMs))
      }
    }
  }

  async #listen(): Promise<void> {
    const { listener } = this.options
    try {
      // Whatever happened while the connection was away is looked for each time it is back.
      await listener.listen(
        workChannel,
        () => this.wake(),
        () => this.wake(),
      )
      await listener.listen(
        cancelChannel,
        (jobId) => this.#cancelHinted(jobId),
        () => this.#keeper.renew(),
      )
    } catch (error) {
      this.#log.warn({ err: error }, 'listen.failed')
    }
  }

  #cancelHinted(jobId: string): void {
    for (const { job } of this.#attempts.values()) if (job.lease.jobId === jobId) this.#keeper.renew()
  }

  #wakeIn(seconds: number | null): void {
    clearTimeout(this.#dueTimer)
    if (seconds === null || seconds > this.options.config.POLL_INTERVAL_SECONDS) return
    this.#dueTimer = setTimeout(() => this.wake(), seconds * 1000 + 1)
  }

  async #drain(): Promise<void> {
    this.#state = 'draining'
    clearInterval(this.#pollTimer)
    clearTimeout(this.#dueTimer)
    await this.#looking
    const deadline = setTimeout(() => this.interrupt(), this.options.config.SHUTDOWN_GRACE_SECONDS * 1000)
    while (this.#attempts.size > 0)
      await Promise.allSettled([...this.#attempts.values()].map(({ done }) => done))
    clearTimeout(deadline)
    await this.#keeper.stop()
    await this.#standby.stop()
    await this.#scratch.stop()
    this.#state = 'stopped'
    this.#stopping = undefined
  }
}

const unstorable: End = {
  kind: 'failed',
  outcome: 'threw',
  errorCode: 'unserialisable_result',
  message: 'The database can not store the result of the job.',
  retry: false,
  retryInSeconds: 0,
  crashed: false,
}

/** SQLSTATE classes 22 (data exception) and 54 (program limit exceeded). */
function isRefusedData(error: unknown): boolean {
  return error instanceof postgres.PostgresError && /^(22|54)/.test(error.code)
}

function nameOf({ key, version }: { key: string; version: number }): string {
  return `${key}@${version}`
}

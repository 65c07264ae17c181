/**
 * A turn: jobs of one definition that hold one slot together. Usually it is one job in a process of its own. Short
 * jobs of a definition whose processes run several are taken up many at a time, and one process runs them one after
 * the other, so that what a claim, an end and a message cost is shared among them.
 *
 * None waits long behind another: those not begun within a moment are given back to the queue.
 */
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import type { Log } from '../core/log.ts'
import type { JobListener, JobRun, JobToRun, ProcessEnd } from './job-process.ts'
import type { LimitWatch, Watch } from './limits.ts'
import type { Scratch } from './scratch.ts'
import type { Standby, Taken } from './standby.ts'

/** A worker that can't keep a process alive for so many must say so. */
const processTries = 3
/** So long a job may be held behind others. */
const patienceMs = 250

export interface TurnDependencies {
  standby: Pick<Standby, 'take'>
  scratch: Scratch
  limits: LimitWatch
  log: Log
}

/** Of a job that was not begun, and goes back to the queue. */
const interrupted = { end: { kind: 'stopped', reason: 'interrupted' }, peakMemoryBytes: 0 } as const

/** What a process needs to be told of its place. */
export type Place = Pick<JobToRun, 'scratchDirectory' | 'waitIn'>

/** A process of the turn, and what is its own. */
interface Seat {
  taken: Taken
  watch: Watch
  /** Name of its scratch directory. */
  name: string
  directory: string
}

export class Turn {
  /** Settles when no job of it runs any more. */
  readonly over: Promise<void>
  readonly #over = Promise.withResolvers<void>()
  /** Of jobs that a process has. */
  readonly #runs = new Set<JobRun>()
  #jobs = 1
  #seats = 0
  #seat: Promise<Seat> | undefined
  #isOutOfPatience = false
  #timer: NodeJS.Timeout | undefined
  #beganAt: number | undefined
  #endedAt = 0
  #done = 0

  /**
   * Of one job, which will `run` and `leave`.
   * @param name of its scratch directory, of this turn alone
   */
  constructor(
    private readonly definition: DefinitionRecord,
    private readonly name: string,
    private readonly dependencies: TurnDependencies,
  ) {
    this.over = this.#over.promise
  }

  /** It is not over before one more `leave`. */
  hold(): void {
    this.#jobs++
  }

  /** Another job, to be called while it is not over. */
  add(): void {
    this.hold()
    this.#timer ??= setTimeout(() => this.giveBack(), patienceMs)
  }

  /** Milliseconds that a job of the turn took; undefined when none has been done. */
  get jobMs(): number | undefined {
    return this.#beganAt === undefined || this.#done === 0
      ? undefined
      : (this.#endedAt - this.#beganAt) / this.#done
  }

  /**
   * @param message what the process is to be told of the job
   * @param given the run is under way, or stands behind others: it can be stopped
   */
  async run(
    message: (place: Place) => JobToRun,
    listener: JobListener,
    given: (run: JobRun) => void,
  ): Promise<{ end: ProcessEnd; peakMemoryBytes: number }> {
    let tries = 0
    for (;;) {
      const seat = await this.#sit()
      if (this.#isOutOfPatience) return interrupted
      const { process, runsPerProcess, waitIn } = seat.taken
      const place = {
        scratchDirectory: seat.directory,
        waitIn: process.runs + 1 < runsPerProcess ? waitIn : null,
      }
      // Time in which the process had none is no job's.
      if (this.#runs.size === 0 && this.#beganAt !== undefined)
        this.#beganAt += performance.now() - this.#endedAt
      const run = process.run(message(place), {
        ...listener,
        began: () => {
          this.#beganAt ??= performance.now()
          listener.began?.()
        },
      })
      this.#runs.add(run)
      given(run)
      const end = await run.ended
      this.#runs.delete(run)
      this.#endedAt = performance.now()
      if (end.kind === 'not_begun') continue
      const died = !run.hasBegun && (end.kind === 'exited' || end.kind === 'signalled')
      if (died && ++tries < processTries) {
        this.dependencies.log.warn({ pid: process.pid, ...end }, 'process.died_waiting')
        continue
      }
      this.#done++
      const isOutOfMemory = end.kind === 'signalled' && end.signal === 'SIGKILL' && seat.watch.sawOomKill()
      return {
        end: isOutOfMemory ? { kind: 'stopped', reason: 'out_of_memory' } : end,
        peakMemoryBytes: Math.max(seat.watch.peakMemoryBytes, process.peakMemoryBytes),
      }
    }
  }

  /** What stands behind others goes back to the queue. The one that is next may be at work already, and nobody knows yet. */
  giveBack(): void {
    this.#isOutOfPatience = true
    for (const run of this.#runs) if (run.isQueued) run.stop('interrupted', 0)
  }

  /** To be called once by each job, whether it has run or not. With the last, nothing of the turn is left. */
  async leave(): Promise<void> {
    if (--this.#jobs > 0) return
    clearTimeout(this.#timer)
    try {
      if (this.#seat !== undefined) await this.#vacate(await this.#seat)
    } finally {
      this.#over.resolve()
    }
  }

  /** In the process of the turn; when that one takes no more, in another once it is gone. */
  async #sit(): Promise<Seat> {
    for (;;) {
      const awaited = this.#seat ?? this.#makeSeat()
      this.#seat = awaited
      const seat = await awaited
      const { process, runsPerProcess } = seat.taken
      if (process.isFit && process.runs < runsPerProcess) return seat
      // Of several that wait for it, one replaces it.
      if (this.#seat === awaited) this.#seat = this.#replace(seat)
    }
  }

  async #makeSeat(): Promise<Seat> {
    const { scratch, standby, limits } = this.dependencies
    const name = this.#seats === 0 ? this.name : `${this.name}-${this.#seats}`
    this.#seats++
    const directory = scratch.make(name)
    const taken = standby.take(this.definition)
    const watch = limits.watch({
      tree: taken.process.tree,
      scratchDirectory: directory,
      limits: this.definition,
      exceeded: (limit) => taken.process.stop(limit),
    })
    return { taken, watch, name, directory }
  }

  async #replace(seat: Seat): Promise<Seat> {
    await seat.taken.process.gone
    await this.#vacate(seat)
    return await this.#makeSeat()
  }

  async #vacate({ taken, watch, name }: Seat): Promise<void> {
    watch.stop()
    taken.giveBack()
    await this.dependencies.scratch.remove(name)
  }
}

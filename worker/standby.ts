/**
 * Processes that wait for a job: fresh ones, spawned ahead, with the runtime up; and used ones, whose definition lets
 * a process run several jobs. A used one serves only jobs of its definition, and only while the code is unchanged.
 */
import { type Stats, statSync } from 'node:fs'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import { ChildProgram } from './child-program.ts'
import { Guardian } from './guardian.ts'
import { JobProcess, type JobProcessOptions } from './job-process.ts'
import type { WorkerMetrics } from './worker-metrics.ts'

/** A used process that nobody needs for so long is ended. */
const usedIdleMs = 30_000
/** So long the job that was taken up has the machine to itself, before the next process is started. */
const handOverMs = 15

export interface Taken {
  process: JobProcess
  /** Jobs it may be given, in all. */
  runsPerProcess: number
  /** Where it waits when it has none. */
  waitIn: string
  /** To be called when its jobs are done: a process that can take another is kept. */
  giveBack(): void
}

interface Used {
  process: JobProcess
  code: string
  timer: NodeJS.Timeout
}

export class Standby {
  readonly #all = new Set<JobProcess>()
  readonly #fresh: JobProcess[] = []
  readonly #program: ChildProgram
  readonly #guardian: Guardian
  #used: Used[] = []
  /** Counts the changes of code that the files alone don't show. */
  #changes = 0
  #stopped = false

  constructor(
    private readonly options: Omit<JobProcessOptions, 'guardian' | 'command'> & {
      /** Where directories of coordinators are made. */
      root: string | undefined
      metrics: WorkerMetrics
      /** Fresh processes to hold ready. */
      size: number
      /** Used processes to keep, at most. */
      usedSize: number
    },
  ) {
    const { root, directory, environment, log } = options
    this.#program = new ChildProgram(root, log)
    this.#guardian = new Guardian({ directories: [directory, this.#program.directory], environment, log })
  }

  async start(): Promise<void> {
    this.#guardian.start()
    await this.#program.start()
    this.#refill()
  }

  take(definition: DefinitionRecord): Taken {
    const { runsPerProcess } = definition
    const waitIn = this.options.directory
    if (runsPerProcess === 1)
      return { process: this.#takeFresh(), runsPerProcess, waitIn, giveBack: () => {} }
    const code = this.#codeOf(definition)
    const process = this.#takeUsed(code) ?? this.#takeFresh()
    const giveBack = () => {
      if (process.isIdle) this.#keep(process, code, this.#codeOf(definition))
    }
    return { process, runsPerProcess, waitIn, giveBack }
  }

  /** Job code has changed in a way that a definition's own file may not show: no process that has loaded it stays. */
  renew(): void {
    this.#changes++
    for (const { process } of this.#used) process.kill()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const process of this.#all) process.kill()
    await Promise.all([...this.#all].map(({ gone }) => gone))
    await this.#program.stop()
    await this.#guardian.stop()
  }

  #takeFresh(): JobProcess {
    const ready = this.#fresh.shift()
    this.options.metrics.took(ready === undefined ? 'spawned' : 'standby')
    setTimeout(() => this.#refill(), handOverMs)
    return ready ?? this.#spawn()
  }

  #takeUsed(code: string): JobProcess | undefined {
    const used = this.#used.find((one) => one.code === code && one.process.isIdle)
    if (used === undefined) return undefined
    this.#forgetUsed(used.process)
    this.options.metrics.took('used')
    return used.process
  }

  #keep(process: JobProcess, code: string, codeNow: string): void {
    if (this.#stopped || code !== codeNow) {
      process.kill()
      return
    }
    this.#used.push({ process, code, timer: setTimeout(() => process.kill(), usedIdleMs) })
    if (this.#used.length > this.options.usedSize) this.#used[0]?.process.kill()
  }

  #forgetUsed(process: JobProcess): void {
    for (const used of this.#used) if (used.process === process) clearTimeout(used.timer)
    this.#used = this.#used.filter((used) => used.process !== process)
  }

  #refill(): void {
    try {
      while (!this.#stopped && this.#fresh.length < this.options.size) this.#fresh.push(this.#spawn())
    } catch (err) {
      // No process or descriptor is to be had: a job may have taken them all, for a moment. The next take tries again.
      this.options.log.warn({ err }, 'standby.not_started')
    }
  }

  #spawn(): JobProcess {
    const fresh = new JobProcess({
      ...this.options,
      command: this.#program.command,
      guardian: this.#guardian,
    })
    this.#all.add(fresh)
    fresh.gone.then(() => {
      this.#all.delete(fresh)
      this.#forgetUsed(fresh)
      const place = this.#fresh.indexOf(fresh)
      if (place === -1) return
      // Not replaced at once: the next take does that, so no loop can spin.
      this.#fresh.splice(place, 1)
      if (!this.#stopped) this.options.log.warn({ pid: fresh.pid }, 'standby.died')
    })
    return fresh
  }

  /** What must stay as it is for a process that has loaded the definition to serve it again. */
  #codeOf({ key, version, file }: DefinitionRecord): string {
    const stat = statOf(file)
    return [key, version, file, stat?.mtimeMs, stat?.size, stat?.ino, this.#changes].join(' ')
  }
}

function statOf(file: string): Stats | undefined {
  try {
    return statSync(file)
  } catch {
    return undefined
  }
}

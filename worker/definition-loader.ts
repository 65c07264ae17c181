/**
 * Keeps a worker's definitions as its job files are: loads and registers them at start and, where it is asked to
 * watch, after each change.
 *
 * A file that no longer loads takes its definitions with it, on this worker: its jobs wait in the queue until it loads
 * again or a worker has a good copy, where the last good definition would let them fail one after another, since
 * every job runs the file as it is now. If nothing can be loaded at all (no process, no database), everything stays
 * as it was, and it is tried again.
 *
 * A file that is taken away takes the schedule of its definition with it, and so does one that is changed to have none. What is
 * gone at the start was nobody's to see: another worker may have it, so the schedule stays. Of a file that is there without
 * it, `core/schedules/sync.ts` says what becomes of the schedule.
 */
import { dirname, resolve } from 'node:path'
import type { Pool } from '../core/db.ts'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import { definitionName } from '../core/definitions/name.ts'
import { registerDefinitions } from '../core/definitions/register.ts'
import type { Log } from '../core/log.ts'
import { removeCodeSchedules } from '../core/schedules/sync.ts'
import { discoverInProcess } from './discovery.ts'
import { fingerprint } from './job-directories.ts'

const lookIntervalMs = 200
const firstRetryMs = 1000
const lastRetryMs = 30_000

export interface DefinitionLoaderOptions {
  sql: Pool
  directories: string[]
  environment: Record<string, string | undefined>
  /** Of the environment, for job files beside what all of them see; default none. */
  jobVariables?: readonly string[]
  watch: boolean
  log: Log
  onLoaded(definitions: DefinitionRecord[]): void
}

export class DefinitionLoader {
  readonly #stopped = new AbortController()
  /** Of the files as they were when they were loaded, and as they were last seen. */
  #loaded: string | undefined
  #seen: string | undefined
  /** Also those whose files do not load at the moment. */
  #known: DefinitionRecord[] = []
  #retryMs = firstRetryMs
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor(private readonly options: DefinitionLoaderOptions) {}

  /** Resolves when the definitions are loaded, or could not be for now. */
  async start(): Promise<void> {
    this.#looking ??= this.#look()
    await this.#looking
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#looking
  }

  /** Loads what has changed since the last time, and says whether it did. Never throws. */
  async runOnce(): Promise<'loaded' | 'failed' | 'unchanged'> {
    const { directories, log } = this.options
    try {
      const now = await fingerprint(directories)
      // Editors write a file in several steps: what is the same at two looks is what counts.
      const isSettled = this.#seen === undefined || now === this.#seen
      this.#seen = now
      if (now === this.#loaded || !isSettled) return 'unchanged'
      await this.#load()
      this.#loaded = now
      return 'loaded'
    } catch (error) {
      if (!this.#stopped.signal.aborted) log.error({ err: error }, 'definitions.failed')
      return 'failed'
    }
  }

  async #look(): Promise<void> {
    const outcome = await this.runOnce()
    if (this.#stopped.signal.aborted) return
    if (outcome !== 'failed') this.#retryMs = firstRetryMs
    if (outcome === 'failed') {
      this.#lookIn(this.#retryMs)
      this.#retryMs = Math.min(2 * this.#retryMs, lastRetryMs)
    } else if (this.options.watch || this.#loaded === undefined) this.#lookIn(lookIntervalMs)
  }

  #lookIn(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
    }, milliseconds)
  }

  async #load(): Promise<void> {
    const { sql, directories, environment, jobVariables = [], log, onLoaded } = this.options
    const { definitions, broken } = await discoverInProcess(directories, {
      environment,
      jobVariables,
      log,
      signal: this.#stopped.signal,
    })
    for (const { file, error } of broken) log.error({ file, error }, 'definition.broken')
    await registerDefinitions(sql, definitions)
    // A directory that can't be read stands for all its files.
    const isBroken = ({ file }: DefinitionRecord) =>
      broken.some((other) => [file, dirname(file)].includes(resolve(other.file)))
    const found = new Map(definitions.map((definition) => [definitionName(definition), definition]))
    const missing = this.#known.filter((definition) => !found.has(definitionName(definition)))
    const unscheduled = this.#known.filter(
      (definition) =>
        definition.schedule !== null && found.get(definitionName(definition))?.schedule === null,
    )
    await removeCodeSchedules(sql, [...missing.filter((definition) => !isBroken(definition)), ...unscheduled])
    this.#known = [...definitions, ...missing.filter(isBroken)]
    onLoaded(definitions)
    log.info({ definitions: definitions.map(definitionName) }, 'definitions.loaded')
  }
}

/**
 * Runs lifecycle hooks that became due, a few at a time and beside the slots for jobs, each in a job process of its
 * own. A hook that throws, dies or takes too long becomes an event of its job; it changes nothing else.
 */
import type { Pool } from '../core/db.ts'
import type { DefinitionRecord } from '../core/definitions/discover.ts'
import { definitionNameOf } from '../core/definitions/name.ts'
import type { JobLimits, JobTools } from '../core/job.ts'
import type { Log } from '../core/log.ts'
import { claimHooks, endHook, giveBackHooks, type HookRun } from '../core/queue/hooks.ts'
import { answerEnqueue } from './answer-enqueue.ts'
import type { JobRun, NotBegun, ProcessEnd } from './job-process.ts'
import type { Scratch } from './scratch.ts'
import type { Standby } from './standby.ts'

const hooksAtOnce = 2
const timeoutSeconds = 30
/** Long enough for a hook and the end of its process; after that its worker is taken for dead. */
const leaseSeconds = 60
const stopGraceSeconds = 0.5

export interface HookRunnerOptions {
  sql: Pool
  standby: Standby
  scratch: Scratch
  tools: JobTools
  jobLimits: JobLimits
  log: Log
  /** Those whose code this worker has loaded, by `key@version`. */
  definitions(): Map<string, DefinitionRecord>
}

export class HookRunner {
  readonly #running = new Set<Promise<void>>()
  readonly #runs = new Set<JobRun>()
  readonly #claims = new Set<Promise<number>>()
  #isStopped = false

  constructor(private readonly options: HookRunnerOptions) {}

  /** Begins as many as there is room for. @returns how many */
  async runOnce(): Promise<number> {
    const definitions = [...this.options.definitions().values()].filter(({ hooks }) => hooks.length > 0)
    if (this.#isStopped || definitions.length === 0) return 0
    const claim = this.#claim(definitions)
    this.#claims.add(claim)
    return await claim.finally(() => this.#claims.delete(claim))
  }

  /** Those that run are cut off after the grace of a moment, and run again elsewhere. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const run of this.#runs) run.stop('interrupted', stopGraceSeconds)
    await Promise.all(this.#running)
    await Promise.allSettled(this.#claims)
  }

  async #claim(definitions: DefinitionRecord[]): Promise<number> {
    const { sql } = this.options
    const limit = hooksAtOnce - this.#running.size
    const hooks = await claimHooks(sql, { definitions, limit, leaseSeconds })
    if (this.#isStopped) {
      await giveBackHooks(sql, hooks)
      return 0
    }
    for (const hook of hooks) this.#begin(hook)
    return hooks.length
  }

  #begin(hook: HookRun): void {
    const running = this.#run(hook)
      .catch((error) =>
        this.options.log.warn({ err: error, jobId: hook.jobId, hook: hook.hook }, 'hook.broken'),
      )
      .finally(() => {
        this.#running.delete(running)
        void this.runOnce().catch((error) => this.options.log.warn({ err: error }, 'hooks.failed'))
      })
    this.#running.add(running)
  }

  async #run(hook: HookRun): Promise<void> {
    const { sql, log } = this.options
    const definition = this.options.definitions().get(definitionNameOf(hook))
    if (definition === undefined) return
    const end = await this.#perform(hook, definition)
    if (end.kind === 'stopped' && end.reason === 'interrupted') {
      await giveBackHooks(sql, [hook])
      return
    }
    const error = problemOf(end)
    if (error !== null) log.warn({ jobId: hook.jobId, hook: hook.hook, error }, 'hook.failed')
    await endHook(sql, hook, error)
  }

  async #perform(hook: HookRun, definition: DefinitionRecord): Promise<ProcessEnd | NotBegun> {
    const { scratch, log } = this.options
    const name = `hook-${hook.id}`
    const scratchDirectory = scratch.make(name)
    try {
      return await this.#runIn(scratchDirectory, hook, definition)
    } finally {
      await scratch
        .remove(name)
        .catch((error) => log.warn({ err: error, jobId: hook.jobId, hook: hook.hook }, 'scratch.left'))
    }
  }

  async #runIn(
    scratchDirectory: string,
    hook: HookRun,
    definition: DefinitionRecord,
  ): Promise<ProcessEnd | NotBegun> {
    const { sql, standby, tools, jobLimits, log } = this.options
    const { process } = standby.take({ ...definition, runsPerProcess: 1 })
    const { attempt, params, ...payload } = hook.payload
    const run = process.run(
      {
        file: definition.file,
        definition: { key: definition.key, version: definition.version },
        hook: { name: hook.hook, file: definition.hooksFile, payload: { ...payload, params: params ?? {} } },
        jobId: hook.jobId,
        attempt: Number(attempt ?? 0),
        maxAttempts: definition.maxAttempts,
        params,
        checkpoint: null,
        children: null,
        scratchDirectory,
        tools,
        limits: jobLimits,
        trace: null,
        recordsSpans: false,
        fleet: { slots: jobLimits.slots, freeSlots: 0 },
        logLimitBytes: definition.logLimitBytes,
        nice: definition.nice,
        asksBackoff: false,
        waitIn: null,
      },
      {
        report: (message) => {
          if (message.type !== 'log') return
          const { text, fields } = message
          const given = Object.keys(fields).length === 0 ? {} : { fields }
          log.info({ jobId: hook.jobId, hook: hook.hook, text, ...given }, 'hook.logged')
        },
        output: () => {},
        storage: async ({ request }) => ({
          type: 'refused',
          request,
          code: 'not_in_hooks',
          message: 'Hooks have no storage.',
          retry: false,
        }),
        enqueue: (message) => answerEnqueue(sql, message),
      },
    )
    this.#runs.add(run)
    const timeout = setTimeout(() => run.stop('timed_out', stopGraceSeconds), timeoutSeconds * 1000)
    const end = await run.ended
    clearTimeout(timeout)
    this.#runs.delete(run)
    return end
  }
}

/** A sentence; null when the hook did well. */
function problemOf(end: ProcessEnd | NotBegun): string | null {
  switch (end.kind) {
    case 'succeeded':
      return null
    case 'threw':
      return end.message
    case 'exited':
      return `The process exited with status ${end.exitCode}.`
    case 'signalled':
      return `The process was killed by ${end.signal}.`
    case 'broke_protocol':
      return end.problem
    case 'stopped':
      return `The hook took longer than ${timeoutSeconds} s.`
    case 'not_begun':
      return 'The process ended before it took up the hook.'
    case 'snoozed':
    case 'waits':
      return 'Hooks can neither snooze nor wait.'
  }
}

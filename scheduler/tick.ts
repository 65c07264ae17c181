/**
 * One pass of the scheduler: fires what is due, tells webhooks what has happened, and does the upkeep whose time has come.
 * Any number may run at once.
 */
import type { Pool } from '../core/db.ts'
import type { Log } from '../core/log.ts'
import { flushHints } from '../core/queue/wake.ts'
import { type Fired, type FireOptions, fireDue } from '../core/schedules/fire-due.ts'
import { inScope } from '../core/trace/scope.ts'
import type { Tracer } from '../core/trace/tracer.ts'
import { type Duty, registerDuties, runDueDuties } from '../core/upkeep/duties.ts'
import { type DispatchOptions, dispatchWebhooks } from '../core/webhooks/dispatch.ts'

export interface TickDependencies {
  sql: Pool
  duties: Duty[]
  webhooks: DispatchOptions
  tracer: Tracer
  log: Log
}

export interface Ticked extends Omit<Fired, 'errors'> {
  deliveries: number
  duties: number
}

/**
 * How a call of a minute is shared, in parts of its time: who fires after an outage, or tells webhooks of much, must not keep
 * the upkeep from its turn, and none of them the call from its end. What is left is done by the next call.
 */
const shares = { firing: 0.5, telling: 0.7, upkeep: 1 }

/**
 * @param options.seconds after which nothing more is begun
 * @throws when the database can't be reached; a duty that fails is logged, and the others go on
 */
export async function tick(
  dependencies: TickDependencies,
  { seconds }: { seconds: number },
): Promise<Ticked> {
  const startedAt = performance.now()
  const until = async <Result>(share: number, act: (signal: AbortSignal) => Promise<Result>) => {
    const stop = new AbortController()
    const leftMs = startedAt + 1000 * seconds * share - performance.now()
    const timer = setTimeout(() => stop.abort(), leftMs)
    try {
      return await act(stop.signal)
    } finally {
      clearTimeout(timer)
    }
  }
  const fired = await until(shares.firing, (signal) => fire(dependencies, { signal }))
  const deliveries = await until(shares.telling, (signal) => tellWebhooks(dependencies, signal))
  await registerDuties(dependencies.sql, dependencies.duties)
  const duties = await until(shares.upkeep, (signal) => doDuties(dependencies, signal))
  await flushHints(dependencies.sql)
  return { ...fired, deliveries, duties }
}

export async function fire(
  { sql, tracer, log }: Omit<TickDependencies, 'duties'>,
  options: FireOptions = {},
): Promise<Omit<Fired, 'errors'>> {
  const { errors, ...fired } = await inScope({ tracer, context: null }, () => fireDue(sql, options))
  for (const { schedule, error } of errors) log.error({ err: error, schedule }, 'schedule.failed')
  if (Object.values(fired).some((count) => count > 0)) log.info(fired, 'schedules.fired')
  return fired
}

/** @returns how many deliveries were enqueued; what can't be done now is logged, and done the next time */
export async function tellWebhooks(
  { sql, webhooks, log }: TickDependencies,
  signal?: AbortSignal,
): Promise<number> {
  try {
    const { deliveries, disabled } = await dispatchWebhooks(sql, webhooks, signal)
    for (const webhookId of disabled) log.warn({ webhookId }, 'webhook.disabled')
    if (deliveries > 0) log.debug({ deliveries }, 'webhooks.told')
    return deliveries
  } catch (error) {
    log.error({ err: error }, 'webhooks.failed')
    return 0
  }
}

/** @returns how many were due and had their turn */
export async function doDuties(
  { sql, duties, log }: TickDependencies,
  signal?: AbortSignal,
): Promise<number> {
  const runs = await runDueDuties(sql, duties, { signal })
  for (const { name: duty, outcome, error } of runs) {
    if (error === undefined) log.debug({ duty, outcome }, 'upkeep.done')
    else log.error({ err: error, duty }, 'upkeep.failed')
  }
  return runs.length
}

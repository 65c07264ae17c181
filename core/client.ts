/**
 * For TypeScript programs that share the database: enqueue without going through the API, on a pool or inside a
 * transaction of the program's own, so that a job is there exactly when the rest of the transaction is.
 *
 *   import postgres from 'postgres'
 *   import { enqueueJob } from 'job-server/client'
 *   import sendInvoice from './jobs/send-invoice.ts'
 *
 *   await sql.begin(async (tx) => {
 *     const [order] = await tx`insert into orders … returning id`
 *     await enqueueJob(tx, sendInvoice, { orderId: order.id })
 *   })
 *
 * With another driver it is the client on which the transaction is open, such as one of `pg`, or what makes a `QueryClient`
 * of it.
 *
 * The definition must be registered (a worker does that when it starts). A job of an open transaction is seen once
 * that has committed; workers find it at their next poll, as NOTIFY is not sent from others' transactions. One that
 * `dependsOn` a job which ends while the transaction is open is found by the scheduler, within a minute. Meanwhile whoever
 * enqueues elsewhere under the same idempotency key, or also the first job of a definition in a queue, waits for it, and
 * gives up after three seconds.
 */
import type { z } from 'zod'
import type { Sql } from './db.ts'
import { type AnyDefinition, jobOf } from './job.ts'
import { type QueryClient, sqlOver } from './other-drivers.ts'
import { type Enqueued, type EnqueueInput, enqueue, enqueueMany } from './queue/enqueue.ts'

export type { AnyDefinition } from './job.ts'
export type { QueryClient, QueryValue } from './other-drivers.ts'
export type { Enqueued } from './queue/enqueue.ts'

/** All that an enqueue takes beside the definition and its parameters, by the names that the API has for it. */
export interface EnqueueOptions
  extends Omit<EnqueueInput, 'definitionKey' | 'definitionVersion' | 'params' | 'uniqueForSeconds'> {
  /** For so many seconds, another request with the same definition and parameters meets this job. */
  uniqueFor?: number
}

const optionNames = Object.keys({
  queue: true,
  priority: true,
  maxAttempts: true,
  timeoutSeconds: true,
  backoff: true,
  idempotencyKey: true,
  idempotencyTtlSeconds: true,
  uniqueFor: true,
  delaySeconds: true,
  scheduledAt: true,
  concurrencyKey: true,
  concurrencyKeyLimit: true,
  dependsOn: true,
  tags: true,
  metadata: true,
  webhookUrl: true,
  trace: true,
} satisfies Record<keyof EnqueueOptions, true>)

/**
 * @param sql a postgres.js pool or transaction, the caller's own or ours; or a client of another driver, `QueryClient`, on
 *   which a transaction is open. Without one, jobs come as well, but not with `dependsOn`, parameters that name what is
 *   stored, or several at once with keys.
 * @throws DefinitionNotFound, InvalidParams, IdempotencyConflict; JobNotFound and DependencyFailed for `dependsOn`;
 *   TypeError for an option that there is none of, or a transaction that is missing
 */
export async function enqueueJob<Schema extends z.ZodType>(
  sql: Sql | QueryClient,
  definition: AnyDefinition<Schema>,
  params: z.input<Schema>,
  options: EnqueueOptions = {},
): Promise<Enqueued> {
  return await enqueue(sqlOf(sql), inputOf(definition, params, options))
}

/** All or nothing; one answer for each, in order. @throws as `enqueueJob` */
export async function enqueueJobs<Schema extends z.ZodType>(
  sql: Sql | QueryClient,
  definition: AnyDefinition<Schema>,
  jobs: { params: z.input<Schema>; options?: EnqueueOptions }[],
): Promise<Enqueued[]> {
  return await enqueueMany(
    sqlOf(sql),
    jobs.map(({ params, options = {}, ...others }) => {
      refuseUnknown(others, ['params', 'options'])
      return inputOf(definition, params, options)
    }),
  )
}

function sqlOf(sql: Sql | QueryClient): Sql {
  return typeof sql === 'function' ? sql : sqlOver(sql)
}

function inputOf<Schema extends z.ZodType>(
  definition: AnyDefinition<Schema>,
  params: z.input<Schema>,
  options: EnqueueOptions,
): EnqueueInput {
  refuseUnknown(options, optionNames)
  const { uniqueFor, ...others } = options
  return { ...others, uniqueForSeconds: uniqueFor, ...jobOf(definition, params) }
}

/** A misspelt `uniqueFor` that is passed over would be two jobs where one was meant, and not every caller has types. */
function refuseUnknown(given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  throw new TypeError(`There is no option ${unknown.join(', ')}; expected some of ${known.join(', ')}.`)
}

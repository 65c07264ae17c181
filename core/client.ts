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
 * The definition must be registered (a worker does that when it starts). A job of an open transaction is seen once
 * that has committed; workers find it at their next poll, as NOTIFY is not sent from others' transactions.
 */
import type { z } from 'zod'
import type { Sql } from './db.ts'
import type { JobDefinition } from './job.ts'
import type { JsonObject } from './json.ts'
import { type Enqueued, type EnqueueInput, enqueue, enqueueMany } from './queue/enqueue.ts'

export type { Enqueued } from './queue/enqueue.ts'

/** All that an enqueue takes beside the definition and its parameters. */
export type EnqueueOptions = Omit<EnqueueInput, 'definitionKey' | 'definitionVersion' | 'params'>

/** What `defineJob` gave; only key, version and the type of the parameters count here. */
export type AnyDefinition<Schema extends z.ZodType> = Pick<
  JobDefinition<Schema>,
  'key' | 'version' | 'params'
>

/**
 * @param sql a postgres.js pool or transaction, the caller's own or ours
 * @throws DefinitionNotFound, InvalidParams, IdempotencyConflict; JobNotFound and DependencyFailed for `dependsOn`
 */
export async function enqueueJob<Schema extends z.ZodType>(
  sql: Sql,
  definition: AnyDefinition<Schema>,
  params: z.input<Schema>,
  options: EnqueueOptions = {},
): Promise<Enqueued> {
  return await enqueue(sql, inputOf(definition, params, options))
}

/** All or nothing; one answer for each, in order. @throws as `enqueueJob` */
export async function enqueueJobs<Schema extends z.ZodType>(
  sql: Sql,
  definition: AnyDefinition<Schema>,
  jobs: { params: z.input<Schema>; options?: EnqueueOptions }[],
): Promise<Enqueued[]> {
  return await enqueueMany(
    sql,
    jobs.map(({ params, options = {} }) => inputOf(definition, params, options)),
  )
}

function inputOf<Schema extends z.ZodType>(
  { key, version = 1 }: AnyDefinition<Schema>,
  params: z.input<Schema>,
  options: EnqueueOptions,
): EnqueueInput {
  return { ...options, definitionKey: key, definitionVersion: version, params: params as JsonObject }
}

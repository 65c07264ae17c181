/** Shapes of the jobs that a job asks for. */
import { z } from 'zod'
import type { ChildJob, EnqueuedJob } from './job.ts'
import { isShallow } from './job-bounds.ts'
import { contextBounds } from './job-context.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'

// It was parsed from JSON, so it is JSON; a full walk by the schema would cost the coordinator seconds.
export const jsonShape = z.custom<Json>((value) => value !== undefined && isShallow(value), 'expected JSON')
export const jsonObjectShape = z.custom<JsonObject>(
  (value) => isJsonObject(value) && isShallow(value),
  'expected a JSON object',
)
export const secondsShape = z.number().min(0).max(contextBounds.seconds)

const job = z.strictObject({
  definitionKey: z.string().min(1).max(255),
  definitionVersion: z.int32().positive().optional(),
  params: jsonObjectShape.optional(),
  queue: z.string().min(1).max(100).optional(),
  priority: z.int32().optional(),
  maxAttempts: z.int().min(1).max(1000).optional(),
  timeoutSeconds: z.number().positive().max(604_800).optional(),
  delaySeconds: secondsShape.optional(),
  concurrencyKey: z.string().min(1).max(255).optional(),
  concurrencyKeyLimit: z.int32().positive().optional(),
})

export const childJobs = z
  .array(job.extend({ temporaryOutputs: z.boolean().optional() }) satisfies z.ZodType<ChildJob>)
  .max(10_000)

export const enqueuedJob = job.extend({
  idempotencyKey: z.string().min(1).max(255).optional(),
  uniqueFor: z.number().positive().max(31_536_000).optional(),
  tags: z.array(z.string().min(1).max(100)).max(50).optional(),
  metadata: jsonObjectShape.optional(),
}) satisfies z.ZodType<EnqueuedJob>

/** @param what was parsed */
export function faultsIn({ issues }: z.ZodError, what: string): string {
  const faults = issues.map(({ path, message }) => `${[what, ...path].join('.')}: ${message}`)
  return faults.slice(0, 10).join('; ')
}

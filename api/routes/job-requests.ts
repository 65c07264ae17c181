/** What requests about jobs take. */
import type { Context } from 'hono'
import { z } from 'zod'
import { maxBackoff } from '../../core/backoff.ts'
import { cursor } from '../cursor.ts'
import { id, invalidRequest, jsonObject, queryInteger, text, time } from '../validate.ts'
import { jobFilter, maxTags, tag } from './job-filter.ts'

export const priority = z.int32().describe('Higher runs first.')

const seconds = z.number().positive()
const metadataBytes = 16 * 1024

/** Where it may lead is checked by the route. */
export const webhookUrl = text(2000).describe('An http:// or https:// URL.')

/** Empty, as forms and templates send what they have no value for, it counts as left out. */
export const idempotencyKey = text(255, { min: 0 }).transform((key) => key || undefined)

const EnqueueBody = z.strictObject({
  definitionKey: text(255),
  definitionVersion: z.int32().positive().default(1).optional(),
  params: jsonObject.optional(),
  priority: priority.optional(),
  maxAttempts: z.int().min(1).max(1000).optional(),
  timeoutSeconds: seconds.max(604_800).describe('Wall-clock limit of an attempt.').optional(),
  backoff: z
    .strictObject({
      baseSeconds: z.number().min(0).max(maxBackoff.baseSeconds),
      factor: z.number().min(1).max(maxBackoff.factor),
      maxSeconds: z.number().min(0).max(maxBackoff.maxSeconds),
    })
    .partial()
    .optional(),
  idempotencyKey: idempotencyKey.describe('The same key and definition again meet the first job.').optional(),
  uniqueFor: seconds
    .max(31_536_000)
    .describe('For so many seconds the same parameters meet this job.')
    .optional(),
  delaySeconds: z.number().min(0).max(31_536_000).optional(),
  scheduledAt: time.optional(),
  queue: text(100).optional(),
  concurrencyKey: text(255).describe('Jobs of one key run one after the other.').optional(),
  concurrencyKeyLimit: z.int32().positive().optional(),
  dependsOn: z.array(id).min(1).max(1000).describe('Jobs that must succeed first.').optional(),
  tags: z.array(tag).max(maxTags).optional(),
  metadata: jsonObject
    .refine(
      (value) => JSON.stringify(value).length <= metadataBytes,
      `at most ${metadataBytes} bytes of JSON`,
    )
    .describe('Kept with the job.')
    .optional(),
  webhookUrl: webhookUrl
    .describe("Told of the job's end, signed by the WEBHOOK_SECRET of the server.")
    .optional(),
})
export type EnqueueBody = z.output<typeof EnqueueBody>

/** Each pair says the same thing in two ways. */
const exclusive = [
  ['delaySeconds', 'scheduledAt'],
  ['idempotencyKey', 'uniqueFor'],
] as const
export const Enqueue = EnqueueBody.superRefine((body, context) => {
  for (const [one, other] of exclusive) {
    if (body[one] !== undefined && body[other] !== undefined) {
      context.addIssue({ code: 'custom', path: [other], message: `can't stand beside ${one}` })
    }
  }
})

export const BulkBody = z.strictObject({ jobs: z.array(Enqueue).min(1).max(10_000) })

const keyHeader = 'idempotency-key'
export const EnqueueHeader = z.object({ [keyHeader]: idempotencyKey.optional() })

/** The one of the header, or else of the body. */
export function keyOf(c: Context, keyOfBody: string | undefined): string | undefined {
  return c.req.header(keyHeader) || keyOfBody
}

/**
 * Who repeats a request that has a key counts on it.
 * @param instead a sentence
 * @throws RequestProblem
 */
export function refuseKeyHeader(c: Context, instead: string): void {
  if (!c.req.header(keyHeader)) return
  throw invalidRequest([{ path: ['Idempotency-Key'], message: `can't be taken here. ${instead}` }])
}

/** Strict, as every list: a word that is passed over would show more than was asked for. */
export const ListQuery = z.strictObject({
  ...jobFilter,
  tag: z
    .union([tag, z.array(tag).max(maxTags)])
    .describe('All of them, where it stands more than once.')
    .optional(),
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
  cursor: cursor.optional(),
  total: z
    .enum(['true', 'false'])
    .describe('Whether to count all that match; by default so, but not with a cursor.')
    .optional(),
  lookAt: queryInteger(100, 1_000_000)
    .describe(
      'How many jobs are looked at for this page, so that it costs no more where few of many match. It may have fewer jobs than limit then, or none, though there is a nextCursor; total counts those that were looked at.',
    )
    .optional(),
})

export const LogQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,18}$/, 'expected the id of a log entry')
    .describe('Only entries behind this one.')
    .optional(),
  limit: queryInteger(1, 10_000).default(1000),
})

export const JobParam = z.object({ jobId: id })

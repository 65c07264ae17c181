/** Dead letters: jobs that failed for good, and their second chance. */
import { Hono } from 'hono'
import { z } from 'zod'
import { groupDeadLetters, listDeadLetters, readDeadLetter } from '../../core/dead-letters/read.ts'
import { redriveMatching, redriveOne } from '../../core/dead-letters/redrive.ts'
import { DeadLetterNotFound } from '../../core/errors.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { id, jsonBody, optionalJsonBody, queryInteger, text, validate } from '../validate.ts'
import {
  DeadLetter,
  DeadLetterGroup,
  DeadLetterSummary,
  exampleGroup,
  exampleLetter,
} from './dead-letter-answers.ts'
import { Enqueued, exampleId, messageOfRetry } from './job-answers.ts'

const ListQuery = z.strictObject({
  definitionKey: text(255).optional(),
  errorCode: text(100).optional(),
  redriven: z
    .enum(['true', 'false'])
    .describe('false: only those that wait for somebody; of a definition that is named, all not redriven.')
    .optional(),
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
  total: z.enum(['true', 'false']).describe('Whether to count all that match; by default so.').optional(),
})

const maxAttempts = z.int().min(1).max(1000).optional()
const RetryBody = z.strictObject({ maxAttempts })
/** Jobs that an answer names; of a larger redrive it gives the number alone beyond these. */
const namedJobs = 1000
/** Strict, as a word that is passed over would let more letters be meant. */
const RedriveBody = z.strictObject({
  definitionKey: text(255).optional(),
  errorCode: text(100).nullable().describe('null: those without a code.').optional(),
  limit: z.int().min(1).max(100_000).default(100),
  maxAttempts,
})

const LetterParam = z.object({ dlqJobId: id })

export function deadLetterRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>()
    .get(
      '/',
      operation({
        summary: 'List dead letters, newest first',
        answers: {
          200: {
            description: 'A page.',
            schema: z.object({
              jobs: z.array(DeadLetterSummary),
              total: z.int().optional().describe('How many match.'),
            }),
            example: { jobs: [exampleLetter], total: 1 },
          },
        },
      }),
      validate('query', ListQuery),
      async (c) => {
        const { redriven, limit, offset, total: wantsTotal, ...query } = c.req.valid('query')
        const filter = redriven === undefined ? query : { ...query, redriven: redriven === 'true' }
        const page = { limit, offset, total: wantsTotal !== 'false' }
        const { jobs, total } = await listDeadLetters(sql, filter, page)
        return c.json({ jobs, ...(total === null ? {} : { total }) })
      },
    )
    .get(
      '/groups',
      operation({
        summary: 'Group the dead letters that nobody has redriven, by definition and error',
        answers: {
          200: {
            description: 'The largest groups first, 500 at most.',
            schema: z.object({ groups: z.array(DeadLetterGroup) }),
            example: { groups: [exampleGroup] },
          },
        },
      }),
      async (c) => c.json({ groups: await groupDeadLetters(sql) }),
    )
    .post(
      '/redrive',
      operation({
        summary: 'Retry the dead letters that match, oldest first',
        description:
          'Those of definitions that were removed are passed over; where all are such, it is an error.',
        example: { definitionKey: 'echo', limit: 100 },
        answers: {
          200: {
            description: 'Which letter became which job, for the first 1,000, and how many did.',
            schema: z.object({
              jobs: z.array(z.object({ dlqJobId: z.uuid(), jobId: z.uuid() })),
              redriven: z.int(),
            }),
            example: { jobs: [{ dlqJobId: exampleId, jobId: exampleId }], redriven: 1 },
          },
        },
        problems: ['definition_not_found'],
      }),
      jsonBody,
      validate('json', RedriveBody),
      async (c) => {
        const { limit, maxAttempts: attempts, ...filter } = c.req.valid('json')
        const redriven = await redriveMatching(sql, filter, { limit, maxAttempts: attempts })
        return c.json({
          jobs: redriven
            .slice(0, namedJobs)
            .map(({ deadLetterId, jobId }) => ({ dlqJobId: deadLetterId, jobId })),
          redriven: redriven.length,
        })
      },
    )
    .get(
      '/:dlqJobId',
      operation({
        summary: 'Read a dead letter',
        answers: {
          200: {
            description: 'With parameters and what is known of its end.',
            schema: DeadLetter,
            example: { ...exampleLetter, params: {}, idempotencyKey: null, details: null },
          },
        },
        problems: ['dead_letter_not_found'],
      }),
      validate('param', LetterParam),
      async (c) => {
        const { dlqJobId } = c.req.valid('param')
        const letter = await readDeadLetter(sql, dlqJobId)
        if (letter === null) throw new DeadLetterNotFound(dlqJobId)
        return c.json(letter)
      },
    )
    .post(
      '/:dlqJobId/retry',
      operation({
        summary: 'Retry a dead letter',
        description: 'Retrying twice makes one job, as long as anything is left of the first.',
        example: { maxAttempts: 5 },
        answers: {
          201: {
            description: 'The new job.',
            schema: Enqueued.extend({ message: z.string() }),
            example: { jobId: exampleId, status: 'queued', message: 'The job is queued again.' },
          },
        },
        problems: ['dead_letter_not_found', 'definition_not_found', 'only_as_child'],
      }),
      validate('param', LetterParam),
      optionalJsonBody,
      validate('json', RetryBody),
      async (c) => {
        const { dlqJobId } = c.req.valid('param')
        const redriven = await redriveOne(sql, dlqJobId, c.req.valid('json'))
        if (redriven === null) throw new DeadLetterNotFound(dlqJobId)
        const { jobId, status, created } = redriven
        return c.json({ jobId, status, message: messageOfRetry(created) }, 201)
      },
    )
}

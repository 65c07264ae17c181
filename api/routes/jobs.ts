/** Jobs: enqueue, list, read, logs. */
import { Hono } from 'hono'
import { z } from 'zod'
import { JobNotFound } from '../../core/errors.ts'
import { type EnqueueInput, enqueue, enqueueMany } from '../../core/queue/enqueue.ts'
import { listJobs } from '../../core/queue/list.ts'
import { readLogs } from '../../core/queue/logs.ts'
import { readJob } from '../../core/queue/read.ts'
import { checkJobWebhook } from '../../core/webhooks/check-url.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { cursorBehind } from '../cursor.ts'
import { operation } from '../openapi/operation.ts'
import { bulkJsonBody, invalidRequest, jsonBody, validate, validateHeaders } from '../validate.ts'
import { Enqueued, exampleId, exampleJob, exampleSummary, Job, JobSummary } from './job-answers.ts'
import {
  BulkBody,
  Enqueue,
  type EnqueueBody,
  EnqueueHeader,
  JobParam,
  keyOf,
  ListQuery,
  LogQuery,
  refuseKeyHeader,
} from './job-requests.ts'
import { viewJob } from './view-job.ts'

const enqueueProblems = [
  'invalid_params',
  'invalid_webhook',
  'definition_not_found',
  'only_as_child',
  'idempotency_conflict',
  'source_gone',
] as const

export function jobRoutes({ sql, config }: AppDependencies) {
  const inputOf = ({ uniqueFor, ...body }: EnqueueBody, place?: number): EnqueueInput => {
    if (body.webhookUrl !== undefined) {
      checkJobWebhook(
        body.webhookUrl,
        place === undefined ? 'webhookUrl' : `jobs.${place}.webhookUrl`,
        config,
      )
    }
    return {
      ...body,
      uniqueForSeconds: uniqueFor,
      idempotencyTtlSeconds: config.IDEMPOTENCY_TTL_SECONDS,
    }
  }

  return new Hono<ApiEnv>()
    .post(
      '/',
      operation({
        summary: 'Enqueue a job',
        description: 'A 2xx answer means that the job is committed. A key may also stand in Idempotency-Key.',
        example: { definitionKey: 'echo', params: { message: 'hello' }, tags: ['greeting'] },
        answers: {
          201: {
            description: 'The job is queued.',
            schema: Enqueued,
            example: { jobId: exampleId, status: 'queued' },
          },
          200: { description: 'The idempotency key or uniqueFor met an earlier job.', schema: Enqueued },
        },
        problems: [...enqueueProblems, 'job_not_found', 'dependency_failed'],
      }),
      jsonBody,
      validateHeaders(EnqueueHeader),
      validate('json', Enqueue),
      async (c) => {
        const body = c.req.valid('json')
        const idempotencyKey = keyOf(c, body.idempotencyKey)
        if (idempotencyKey !== undefined && body.uniqueFor !== undefined) {
          throw invalidRequest([{ path: ['uniqueFor'], message: "can't stand beside an idempotency key" }])
        }
        const { job, created } = await enqueue(sql, inputOf({ ...body, idempotencyKey }))
        return c.json({ jobId: job.id, status: job.status }, created ? 201 : 200)
      },
    )
    .post(
      '/bulk',
      operation({
        summary: 'Enqueue many jobs, all or none',
        description:
          'Each has a key of its own, if any: with the header Idempotency-Key the request is refused.',
        example: { jobs: [{ definitionKey: 'echo' }, { definitionKey: 'echo', delaySeconds: 60 }] },
        answers: {
          201: {
            description: 'One answer for each, in order.',
            schema: z.object({ jobs: z.array(Enqueued.extend({ created: z.boolean() })) }),
            example: { jobs: [{ jobId: exampleId, status: 'queued', created: true }] },
          },
        },
        problems: [...enqueueProblems, 'job_not_found', 'dependency_failed'],
      }),
      bulkJsonBody,
      validate('json', BulkBody),
      async (c) => {
        refuseKeyHeader(c, 'Give each job its own, as jobs.N.idempotencyKey.')
        const enqueued = await enqueueMany(
          sql,
          c.req.valid('json').jobs.map((job, place) => inputOf(job, place)),
        )
        return c.json(
          { jobs: enqueued.map(({ job, created }) => ({ jobId: job.id, status: job.status, created })) },
          201,
        )
      },
    )
    .get(
      '/',
      operation({
        summary: 'List jobs, newest first',
        description:
          'By limit and offset, or by cursor: without a total, a page then costs the same at any depth.',
        answers: {
          200: {
            description: 'A page.',
            schema: z.object({
              jobs: z.array(JobSummary),
              total: z.int().optional().describe('How many jobs match.'),
              isTotalWhole: z
                .boolean()
                .optional()
                .describe('Beside total. false: with lookAt, there may be more than were counted.'),
              nextCursor: z.string().nullable(),
            }),
            example: { jobs: [exampleSummary], total: 1, isTotalWhole: true, nextCursor: null },
          },
        },
      }),
      validate('query', ListQuery),
      async (c) => {
        const { limit, offset, cursor: after, total, lookAt, tag: tags, ...filter } = c.req.valid('query')
        const wantsTotal = total === undefined ? after === undefined : total === 'true'
        const page = await listJobs(
          sql,
          { ...filter, tags: [tags ?? []].flat() },
          { limit, offset, after, total: wantsTotal, lookAt },
        )
        return c.json({
          jobs: page.jobs.map(
            ({ params: _params, result: _result, progress: _progress, metadata: _metadata, ...job }) => job,
          ),
          ...(page.total === null ? {} : { total: page.total, isTotalWhole: page.isTotalWhole }),
          nextCursor: page.nextAfter === null ? null : cursorBehind(page.nextAfter),
        })
      },
    )
    .get(
      '/:jobId',
      operation({
        summary: 'Read a job',
        answers: { 200: { description: 'The job.', schema: Job, example: exampleJob } },
        problems: ['job_not_found'],
      }),
      validate('param', JobParam),
      async (c) => c.json(await viewJob(sql, c.req.valid('param').jobId)),
    )
    .get(
      '/:jobId/logs',
      operation({
        summary: 'Read what a job wrote',
        answers: {
          200: {
            description: 'Oldest first.',
            schema: z.object({
              jobId: z.uuid(),
              logs: z.array(
                z.object({
                  id: z.string(),
                  at: z.iso.datetime(),
                  stream: z.enum(['stdout', 'stderr', 'log']),
                  level: z.string().nullable(),
                  text: z.string(),
                  fields: z.record(z.string(), z.unknown()).nullable(),
                }),
              ),
            }),
            example: {
              jobId: exampleId,
              logs: [
                {
                  id: '1',
                  at: exampleSummary.queuedAt,
                  stream: 'log',
                  level: 'info',
                  text: 'half way',
                  fields: null,
                },
              ],
            },
          },
        },
        problems: ['job_not_found'],
      }),
      validate('param', JobParam),
      validate('query', LogQuery),
      async (c) => {
        const { jobId } = c.req.valid('param')
        if ((await readJob(sql, jobId)) === null) throw new JobNotFound(jobId)
        return c.json({ jobId, logs: await readLogs(sql, jobId, c.req.valid('query')) })
      },
    )
}

/** What can be done to jobs that are there: cancel, retry, change, remove, wait for. */
import { Hono } from 'hono'
import { z } from 'zod'
import { JobAlreadyFinished, JobInUse, JobNotFound, JobNotInStatus } from '../../core/errors.ts'
import { isFinal } from '../../core/job-state.ts'
import { cancel, cancelMatching } from '../../core/queue/cancel.ts'
import { statusIfAny } from '../../core/queue/read.ts'
import { removeJob } from '../../core/queue/remove.ts'
import { retryJob } from '../../core/queue/retry.ts'
import { updateJob } from '../../core/queue/update.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { longestSilenceSeconds } from '../idle-time.ts'
import type { OpenAnswers } from '../open-answers.ts'
import { operation } from '../openapi/operation.ts'
import { requireRightToChange } from '../own-jobs.ts'
import { jsonBody, queryInteger, time, validate } from '../validate.ts'
import { Enqueued, exampleId, exampleJob, Job, messageOfRetry } from './job-answers.ts'
import { jobFilter, maxTags, tag } from './job-filter.ts'
import { JobParam, priority } from './job-requests.ts'
import { viewJob } from './view-job.ts'

/** Strict, as a word that is passed over would let more jobs be meant. */
const CancelBody = z
  .strictObject({
    ...jobFilter,
    status: z.enum(['queued', 'running']).optional(),
    tags: z.array(tag).min(1).max(maxTags).optional(),
    limit: z.int().min(1).max(1000).default(100).describe('The oldest so many; call again for more.'),
  })
  .refine(
    ({ limit: _limit, ...filter }) => Object.values(filter).some((value) => value !== undefined),
    'expected at least one word that says which jobs',
  )

const ChangeBody = z
  .strictObject({
    priority: priority.optional(),
    scheduledAt: time.nullable().describe('null: now.').optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'expected something to change')

const WaitQuery = z.object({
  timeout: queryInteger(0, 300)
    .default(30)
    .describe(`In seconds; more than ${longestSilenceSeconds} count as that.`),
})

const Message = z.object({ message: z.string() })

export function jobActionRoutes({
  sql,
  storage,
  finishWatch,
  waits,
}: AppDependencies & { waits: OpenAnswers }) {
  return new Hono<ApiEnv>()
    .post(
      '/cancel',
      operation({
        summary: 'Cancel the jobs that match',
        example: { definitionKey: 'echo', status: 'queued', limit: 1000 },
        answers: {
          200: {
            description: 'Which jobs are cancelled now, and which are being stopped.',
            schema: z.object({ cancelled: z.array(z.uuid()), cancelling: z.array(z.uuid()) }),
            example: { cancelled: [exampleId], cancelling: [] },
          },
        },
      }),
      jsonBody,
      validate('json', CancelBody),
      async (c) => {
        const { limit, ...filter } = c.req.valid('json')
        return c.json(await cancelMatching(sql, filter, { limit }))
      },
    )
    .post(
      '/:jobId/cancel',
      operation({
        summary: 'Cancel a job',
        description:
          'A queued job is cancelled at once; a running one is cancelling until its process is gone.',
        answers: {
          202: { description: 'Asked for.', schema: Message, example: { message: 'The job is cancelled.' } },
        },
        problems: ['job_not_found', 'job_already_finished'],
      }),
      validate('param', JobParam),
      async (c) => {
        const { jobId } = c.req.valid('param')
        await requireRightToChange(c, sql, jobId)
        const outcome = await cancel(sql, jobId)
        switch (outcome.kind) {
          case 'not_found':
            throw new JobNotFound(jobId)
          case 'already_finished':
            throw new JobAlreadyFinished(jobId, outcome.status)
          case 'cancelled':
            return c.json({ message: 'The job is cancelled.' }, 202)
          case 'cancelling':
            return c.json({ message: 'The job is being stopped.' }, 202)
        }
      },
    )
    .post(
      '/:jobId/retry',
      operation({
        summary: 'Run a finished job again, as a new job',
        description:
          'A failed job is redriven out of the dead letters; asking twice makes one job, as long as anything is left of the first.',
        answers: {
          201: {
            description: 'The new job.',
            schema: Enqueued.extend({ message: z.string() }),
            example: { jobId: exampleId, status: 'queued', message: 'The job is queued again.' },
          },
        },
        problems: [
          'job_not_found',
          'job_not_in_status',
          'definition_not_found',
          'only_as_child',
          'invalid_params',
          'source_gone',
        ],
      }),
      validate('param', JobParam),
      async (c) => {
        const { jobId } = c.req.valid('param')
        await requireRightToChange(c, sql, jobId)
        const outcome = await retryJob(sql, jobId)
        if (outcome.kind === 'not_found') throw new JobNotFound(jobId)
        if (outcome.kind === 'not_finished') throw new JobNotInStatus(jobId, outcome.status, 'finished')
        const { status, created } = outcome
        return c.json({ jobId: outcome.jobId, status, message: messageOfRetry(created) }, 201)
      },
    )
    .post(
      '/:jobId/wait',
      operation({
        summary: 'Wait until a job has finished',
        description: 'Answers with the job once it has, and otherwise when the time is up: its status tells.',
        answers: { 200: { description: 'The job.', schema: Job, example: exampleJob } },
        problems: ['job_not_found'],
      }),
      validate('param', JobParam),
      validate('query', WaitQuery),
      async (c) => {
        const { jobId } = c.req.valid('param')
        const status = await statusIfAny(sql, jobId)
        if (status === null) throw new JobNotFound(jobId)
        if (!isFinal(status)) {
          const timeoutMs = 1000 * Math.min(c.req.valid('query').timeout, longestSilenceSeconds)
          waits.check(c)
          const leave = waits.enter(c)
          try {
            await finishWatch.wait(jobId, { timeoutMs, signal: c.req.raw.signal })
          } finally {
            leave()
          }
        }
        return c.json(await viewJob(sql, jobId))
      },
    )
    .patch(
      '/:jobId',
      operation({
        summary: 'Change a queued job',
        example: { priority: 10, scheduledAt: '2030-01-31T09:30:00Z' },
        answers: { 200: { description: 'The job as it is now.', schema: Job, example: exampleJob } },
        problems: ['job_not_found', 'job_not_in_status'],
      }),
      validate('param', JobParam),
      jsonBody,
      validate('json', ChangeBody),
      async (c) => {
        const { jobId } = c.req.valid('param')
        await requireRightToChange(c, sql, jobId)
        const outcome = await updateJob(sql, jobId, c.req.valid('json'))
        if (outcome.kind === 'not_found') throw new JobNotFound(jobId)
        if (outcome.kind === 'not_queued') {
          const needed = 'queued, and not wait for others'
          throw new JobNotInStatus(jobId, outcome.status, needed)
        }
        return c.json(await viewJob(sql, jobId))
      },
    )
    .delete(
      '/:jobId',
      operation({
        summary: 'Remove a finished job and all that is kept of it',
        description:
          'Its attempts, events, logs, dead letter and outputs go with it. A child stays as long as its parent has not ended.',
        answers: { 204: { description: 'It is gone.' } },
        problems: ['job_not_found', 'job_not_in_status', 'job_in_use'],
      }),
      validate('param', JobParam),
      async (c) => {
        const { jobId } = c.req.valid('param')
        const outcome = await removeJob(sql, storage, jobId)
        if (outcome.kind === 'not_found') throw new JobNotFound(jobId)
        if (outcome.kind === 'not_finished') throw new JobNotInStatus(jobId, outcome.status, 'finished')
        if (outcome.kind === 'needed_by') throw new JobInUse(jobId, outcome.parentId)
        return c.body(null, 204)
      },
    )
}

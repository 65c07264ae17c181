/** Dead letters: jobs that failed for good, and their second chance. */
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { listDeadLetters, readDeadLetter } from '../../core/dead-letters/read.ts'
import { redrive, redriveMatching } from '../../core/dead-letters/redrive.ts'
import { DeadLetterNotFound } from '../../core/errors.ts'
import { statusOf } from '../../core/queue/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { id, jsonBody, queryInteger, text, validate } from '../validate.ts'

const ListQuery = z.object({
  definitionKey: text(255).optional(),
  limit: queryInteger(1, 1000).default(100),
  offset: queryInteger(0, 2_147_483_647).default(0),
})

const maxAttempts = z.int().min(1).max(1000).optional()
const RetryBody = z.object({ maxAttempts })
const RedriveBody = z.object({
  definitionKey: text(255).optional(),
  errorCode: text(100).optional(),
  limit: z.int().min(1).max(1000).default(100),
  maxAttempts,
})

const LetterParam = z.object({ dlqJobId: id })

/** For a body that may be left out: one that is there is read like any other. */
const optionalJsonBody = createMiddleware<ApiEnv>(async (c, next) => {
  const hasBody =
    c.req.header('content-type') !== undefined || Number(c.req.header('content-length') ?? 0) > 0
  return hasBody ? await jsonBody(c, next) : await next()
})

export function deadLetterRoutes({ sql }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()

  routes.get('/', validate('query', ListQuery), async (c) => {
    return c.json(await listDeadLetters(sql, c.req.valid('query')))
  })

  routes.post('/redrive', jsonBody, validate('json', RedriveBody), async (c) => {
    const { limit, maxAttempts: attempts, ...filter } = c.req.valid('json')
    const redriven = await redriveMatching(sql, filter, { limit, maxAttempts: attempts })
    return c.json({ jobs: redriven.map(({ deadLetterId, jobId }) => ({ dlqJobId: deadLetterId, jobId })) })
  })

  routes.get('/:dlqJobId', validate('param', LetterParam), async (c) => {
    const { dlqJobId } = c.req.valid('param')
    const letter = await readDeadLetter(sql, dlqJobId)
    if (letter === null) throw new DeadLetterNotFound(dlqJobId)
    return c.json(letter)
  })

  routes.post(
    '/:dlqJobId/retry',
    validate('param', LetterParam),
    optionalJsonBody,
    validate('json', RetryBody),
    async (c) => {
      const { dlqJobId } = c.req.valid('param')
      const [redriven] = await redrive(sql, [dlqJobId], c.req.valid('json'))
      if (redriven === undefined) throw new DeadLetterNotFound(dlqJobId)
      const { jobId, created } = redriven
      const status = created ? 'queued' : await statusOf(sql, jobId)
      const message = created ? 'The job is queued again.' : 'The job was retried before.'
      return c.json({ jobId, status, message }, 201)
    },
  )

  return routes
}

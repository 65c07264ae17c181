/** Whether the process lives, and whether it could do its work now. */
import { Hono } from 'hono'
import { z } from 'zod'
import { checkDatabase } from '../../core/db.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { RequestProblem } from '../problem.ts'

const Status = z.object({ status: z.string() })

export function healthRoutes({ sql, storage }: AppDependencies) {
  return new Hono<ApiEnv>()
    .get(
      '/healthz',
      operation({
        summary: 'Whether the process lives',
        answers: { 200: { description: 'It does.', schema: Status, example: { status: 'ok' } } },
      }),
      (c) => c.json({ status: 'ok' }),
    )
    .get(
      '/readyz',
      operation({
        summary: 'Whether database and storage can be reached',
        answers: { 200: { description: 'They can.', schema: Status, example: { status: 'ready' } } },
        problems: ['not_ready'],
      }),
      async (c) => {
        const checks = { database: checkDatabase(sql), storage: storage.check() }
        const names = Object.keys(checks)
        const outcomes = await Promise.allSettled(Object.values(checks))
        const failed = names.filter((_, index) => outcomes[index]?.status === 'rejected')
        if (failed.length === 0) return c.json({ status: 'ready' })
        const cause = outcomes.find(({ status }) => status === 'rejected')
        throw new RequestProblem('not_ready', `Can't be reached or used: ${failed.join(', ')}.`, [], {
          cause,
        })
      },
    )
}

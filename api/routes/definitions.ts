/** What can be run. */
import { Hono } from 'hono'
import { z } from 'zod'
import { listDefinitions } from '../../core/definitions/read.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'

const Definition = z
  .object({
    key: z.string(),
    version: z.int(),
    defaultMaxAttempts: z.int(),
    timeoutSeconds: z.number(),
    concurrencyLimit: z.int().nullable(),
    queue: z.string().describe('Where its jobs go unless a request says otherwise.'),
    paramsSchema: z.record(z.string(), z.unknown()).describe('JSON Schema of the parameters.'),
  })
  .meta({ id: 'Definition' })

const example = {
  key: 'echo',
  version: 1,
  defaultMaxAttempts: 3,
  timeoutSeconds: 300,
  concurrencyLimit: null,
  queue: 'default',
  paramsSchema: { type: 'object', properties: { message: { type: 'string' } } },
}

export function definitionRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>().get(
    '/',
    operation({
      summary: 'List what can be run',
      answers: {
        200: {
          description: 'By key and version.',
          schema: z.object({ definitions: z.array(Definition) }),
          example: { definitions: [example] },
        },
      },
    }),
    async (c) => c.json({ definitions: await listDefinitions(sql) }),
  )
}

/** What can be run: list, remove. */
import { Hono } from 'hono'
import { z } from 'zod'
import { listDefinitions } from '../../core/definitions/read.ts'
import { removeDefinition } from '../../core/definitions/remove.ts'
import { DefinitionInUse, DefinitionNotFound } from '../../core/errors.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { queryInteger, text, validate } from '../validate.ts'

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

const DefinitionParam = z.object({ key: text(255), version: queryInteger(1, 2_147_483_647) })

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
  return new Hono<ApiEnv>()
    .get(
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
    .delete(
      '/:key/:version',
      operation({
        summary: 'Remove a definition',
        description:
          'One that has no jobs that have not ended, no schedule to come and no living worker. The schedule of its code goes along; history and dead letters stay. It comes back when a worker that has the code starts.',
        answers: { 204: { description: 'It is gone.' } },
        problems: ['definition_not_found', 'definition_in_use'],
      }),
      validate('param', DefinitionParam),
      async (c) => {
        const definition = c.req.valid('param')
        const removal = await removeDefinition(sql, definition)
        if (removal.kind === 'not_found') throw new DefinitionNotFound(definition)
        if (removal.kind === 'in_use') throw new DefinitionInUse(definition, removal.uses)
        return c.body(null, 204)
      },
    )
}

/** API keys: list, make, revoke, and what the caller's own is. */
import { Hono } from 'hono'
import { z } from 'zod'
import { KeyNotFound } from '../../core/errors.ts'
import { createKey } from '../../core/keys/create.ts'
import { type ApiKey, scopes } from '../../core/keys/key.ts'
import { listKeys } from '../../core/keys/read.ts'
import { revokeKey } from '../../core/keys/revoke.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { id, jsonBody, text, validate } from '../validate.ts'
import { exampleId } from './job-answers.ts'

const Scope = z.enum(scopes)
const moment = z.iso.datetime().nullable()

const Key = z
  .object({
    keyId: z.uuid(),
    name: z.string(),
    scopes: z.array(Scope),
    prefix: z.string().describe('How the key begins.'),
    createdAt: z.iso.datetime(),
    expiresAt: moment,
    revokedAt: moment,
    lastUsedAt: moment.describe('To the minute.'),
  })
  .meta({ id: 'Key' })

const CreateBody = z.strictObject({
  name: text(100),
  scopes: z.array(Scope).min(1).max(scopes.length),
  expiresInDays: z.number().positive().max(36_500).describe('Left out: it does not expire.').optional(),
})

const KeyParam = z.object({ keyId: id })

const example = {
  keyId: exampleId,
  name: 'deploy-bot',
  scopes: ['read', 'enqueue'],
  prefix: 'jsk_8fK2aQ',
  createdAt: '2026-11-26T09:00:00.000Z',
  expiresAt: '2027-11-26T09:00:00.000Z',
  revokedAt: null,
  lastUsedAt: null,
}

export function keyRoutes({ sql }: AppDependencies) {
  return new Hono<ApiEnv>()
    .get(
      '/',
      operation({
        summary: 'List the API keys',
        answers: {
          200: {
            description: 'Revoked and expired ones too, oldest first.',
            schema: z.object({ keys: z.array(Key) }),
            example: { keys: [example] },
          },
        },
      }),
      async (c) => c.json({ keys: (await listKeys(sql)).map(view) }),
    )
    .post(
      '/',
      operation({
        summary: 'Make an API key',
        description: 'Once there is one, every request needs one.',
        example: { name: 'deploy-bot', scopes: ['read', 'enqueue'], expiresInDays: 365 },
        answers: {
          201: {
            description: 'With the key itself, which is shown this once.',
            schema: Key.extend({ secret: z.string() }),
            example: { ...example, secret: 'jsk_8fK2aQ…' },
          },
        },
      }),
      jsonBody,
      validate('json', CreateBody),
      async (c) => {
        const body = c.req.valid('json')
        const { key, secret } = await createKey(sql, { ...body, scopes: [...new Set(body.scopes)] })
        return c.json({ ...view(key), secret }, 201)
      },
    )
    .get(
      '/self',
      operation({
        summary: "Read the caller's own API key",
        answers: {
          200: {
            description: 'Null for who needs none; such a caller has all scopes.',
            schema: z.object({ key: Key.nullable(), scopes: z.array(Scope) }),
            example: { key: example, scopes: example.scopes },
          },
        },
      }),
      (c) => {
        const { caller } = c.var
        const all = caller === null || caller.scopes.includes('admin')
        return c.json({
          key: caller === null ? null : view(caller),
          scopes: all ? [...scopes] : caller.scopes,
        })
      },
    )
    .post(
      '/:keyId/revoke',
      operation({
        summary: 'Revoke an API key',
        description: 'APIs that run forget it within five seconds. Revoking twice is no error.',
        answers: {
          200: {
            description: 'The key.',
            schema: Key,
            example: { ...example, revokedAt: example.createdAt },
          },
        },
        problems: ['key_not_found'],
      }),
      validate('param', KeyParam),
      async (c) => {
        const { keyId } = c.req.valid('param')
        const key = await revokeKey(sql, keyId)
        if (key === null) throw new KeyNotFound(keyId)
        return c.json(view(key))
      },
    )
}

function view({ id: keyId, ...key }: ApiKey) {
  return { keyId, ...key }
}

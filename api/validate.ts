/** Validators of parts of a request; what they refuse becomes a problem with every issue in it. */
import { zValidator } from '@hono/zod-validator'
import type { ValidationTargets } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { isId } from '../core/ids.ts'
import type { ApiEnv } from './app.ts'
import { RequestProblem } from './problem.ts'

const jsonBodyBytes = 1024 ** 2
const bulkJsonBodyBytes = 32 * 1024 ** 2

export function validate<Target extends keyof ValidationTargets, Schema extends z.ZodType>(
  target: Target,
  schema: Schema,
) {
  return zValidator(target, schema, (outcome) => {
    if (!outcome.success) throw invalidRequest(outcome.error.issues)
  })
}

export function invalidRequest(issues: readonly { path: readonly PropertyKey[]; message: string }[]) {
  const details = issues.map(({ path, message }) => ({ path: path.join('.'), message }))
  const named = details.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  return new RequestProblem('invalid_request', named.join('; '), details)
}

/**
 * Before `validate('json', …)`: Hono's validator takes a body of another type for `{}`, and reads one of any
 * size. Refuses with 415, 413 and, for what does not parse, 400.
 */
export const jsonBody = jsonBodyOf(jsonBodyBytes)
/** For many things at once. */
export const bulkJsonBody = jsonBodyOf(bulkJsonBodyBytes)

function jsonBodyOf(maxSize: number) {
  const limitBody = bodyLimit({
    maxSize,
    onError: () => {
      throw new RequestProblem('body_too_large', `The body is larger than ${maxSize} bytes.`)
    },
  })
  return createMiddleware<ApiEnv>(async (c, next) => {
    requireMediaType(c.req.header('content-type'), ['application/json'])
    await limitBody(c, async () => {
      try {
        await c.req.json()
      } catch (cause) {
        throw new RequestProblem('malformed_body', 'The body is not valid JSON.', [], { cause })
      }
      await next()
    })
  })
}

/** @returns the one of `allowed` that the header names. @throws RequestProblem unsupported_media_type */
export function requireMediaType<Type extends string>(header: string | undefined, allowed: Type[]): Type {
  const given = header?.split(';')[0]?.trim().toLowerCase()
  const match = allowed.find((type) => type === given)
  if (match !== undefined) return match
  const expected = `The body must be ${allowed.join(' or ')}`
  throw new RequestProblem(
    'unsupported_media_type',
    given === undefined ? `${expected}; there is no Content-Type.` : `${expected}, not ${given}.`,
  )
}

export const id = z.string().refine(isId, 'expected a UUID')

/** Text that PostgreSQL can store. */
export const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'expected text without NUL characters')

/** An integer of a query string. */
export const queryInteger = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d{1,10}$/, 'expected an integer')
    .transform(Number)
    .pipe(z.int().min(min).max(max))

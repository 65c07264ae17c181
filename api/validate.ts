/** Validators of parts of a request; what they refuse becomes a problem with every issue in it. */
import { zValidator } from '@hono/zod-validator'
import type { MiddlewareHandler, ValidationTargets } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { isId } from '../core/ids.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import type { ApiEnv } from './app.ts'
import { describeInput } from './openapi/operation.ts'
import { RequestProblem } from './problem.ts'
import { requireJson } from './require-json.ts'

const jsonBodyBytes = 1024 ** 2
const bulkJsonBodyBytes = 32 * 1024 ** 2

export function validate<Target extends keyof ValidationTargets, Schema extends z.ZodType>(
  target: Target,
  schema: Schema,
) {
  const validator = zValidator(target, schema, (outcome) => {
    if (!outcome.success) throw invalidRequest(outcome.error.issues)
  })
  describeInput(validator, { target, schema })
  return validator
}

/**
 * Headers that may be sent. They are no part of the handler's typed input, or the typed client would have to send them;
 * the handler reads them as headers.
 */
export function validateHeaders(schema: z.ZodType): MiddlewareHandler<ApiEnv> {
  const validator: MiddlewareHandler<ApiEnv> = async (c, next) => {
    const outcome = schema.safeParse(c.req.header())
    if (!outcome.success) throw invalidRequest(outcome.error.issues)
    await next()
  }
  describeInput(validator, { target: 'header', schema })
  return validator
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

/**
 * For a body that may be left out: one that is there is read like any other. Many clients name a type for what they do
 * not send.
 */
export const optionalJsonBody = jsonBodyOf(jsonBodyBytes, { isOptional: true })
describeInput(optionalJsonBody, 'optional body')

function jsonBodyOf(maxSize: number, { isOptional } = { isOptional: false }) {
  const limitBody = bodyLimit({
    maxSize,
    onError: () => {
      throw new RequestProblem('body_too_large', `The body is larger than ${maxSize} bytes.`)
    },
  })
  return createMiddleware<ApiEnv>(async (c, next) => {
    const requireType = () => requireMediaType(c.req.header('content-type'), ['application/json'])
    if (!isOptional) requireType()
    await limitBody(c, async () => {
      const body = await c.req.arrayBuffer()
      if (isOptional && body.byteLength === 0) {
        c.req.raw = withoutBody(c.req.raw)
        return await next()
      }
      requireType()
      // The validator parses the same bytes again, and less strictly.
      requireJson(body)
      await next()
    })
  })
}

/** Hono's validator would parse what is of type JSON, and nothing is no JSON. */
function withoutBody({ url, method, headers: given, signal }: Request): Request {
  const headers = new Headers(given)
  headers.delete('content-type')
  return new Request(url, { method, headers, signal })
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

/** As PostgreSQL writes it: what was sent in capital letters is compared with that. */
export const id = z.string().toLowerCase().refine(isId, 'expected a UUID').meta({ format: 'uuid' })

/** Text that PostgreSQL can store. */
export const text = (max: number, { min } = { min: 1 }) =>
  z
    .string()
    .min(min)
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'expected text without NUL characters')

/** An integer of a query string. */
export const queryInteger = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d{1,10}$/, 'expected an integer')
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .meta({ openapi: { type: 'integer', minimum: min, maximum: max } })

/** A moment that PostgreSQL and UUIDv7 can express. */
export const time = z.iso
  .datetime({ offset: true, error: 'expected an ISO 8601 time with its zone' })
  .transform((value) => new Date(value))
  .refine(
    (date) => date.getUTCFullYear() >= 2000 && date.getUTCFullYear() < 9000,
    'expected a year from 2000',
  )
  .meta({ openapi: { type: 'string', format: 'date-time' } })

/** Any object: what is in it is somebody else's to judge. */
export const jsonObject = z
  .custom<JsonObject>(isJsonObject, 'expected an object')
  .meta({ openapi: { type: 'object', additionalProperties: true } })

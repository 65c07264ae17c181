/**
 * What the document says of a route: `operation` stands before its handler, and the validators between them tell what
 * they take. Both are noted here, beside the very functions that run.
 */
import type { MiddlewareHandler, ValidationTargets } from 'hono'
import type { z } from 'zod'
import type { ApiEnv } from '../app.ts'
import type { ProblemCode } from '../problem.ts'

interface Answer {
  description: string
  /** Of JSON; left out: no body, or one of another type. */
  schema?: z.ZodType
  contentType?: string
  example?: unknown
}

export interface Operation {
  summary: string
  description?: string
  /** Of the request's body. */
  example?: unknown
  answers: Record<number, Answer>
  /** Beside those that any request may meet. */
  problems?: ProblemCode[]
  /** Bodies that no validator sees, by media type. */
  otherBodies?: Record<string, z.ZodType>
}

export type Input = { target: keyof ValidationTargets; schema: z.ZodType } | 'optional body'

const operations = new WeakMap<object, Operation>()
const inputs = new WeakMap<object, Input>()

/** As a handler it does nothing. */
export function operation(described: Operation): MiddlewareHandler<ApiEnv> {
  const handler: MiddlewareHandler<ApiEnv> = async (_c, next) => await next()
  operations.set(handler, described)
  return handler
}

/** Notes what a validator takes. */
export function describeInput(handler: object, input: Input): void {
  inputs.set(handler, input)
}

export function operationOf(handler: object): Operation | undefined {
  return operations.get(handler)
}

export function inputOf(handler: object): Input | undefined {
  return inputs.get(handler)
}

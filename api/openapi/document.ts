/**
 * The OpenAPI 3.1 document, read off the app itself: its routes, the schemas that validate them, and what `operation`
 * says of each. A route that says nothing of itself still stands in it, with what its validators take.
 */
import type { Hono } from 'hono'
import { z } from 'zod'
import type { ApiEnv } from '../app.ts'
import { scopeFor } from '../middleware/scopes.ts'
import { type ProblemCode, statusOfCode } from '../problem.ts'
import { createSchemaWriter, type JsonSchema, type SchemaWriter } from './json-schema.ts'
import { inputOf, type Operation, operationOf } from './operation.ts'
import { parametersOf, requestBodyOf } from './request.ts'

export interface OpenApiDocument {
  openapi: string
  info: JsonSchema
  servers: JsonSchema[]
  paths: Record<string, Record<string, DocumentedOperation>>
  components: { schemas: Record<string, JsonSchema>; securitySchemes: JsonSchema }
}

export interface DocumentedOperation {
  operationId: string
  summary: string
  description?: string
  tags: string[]
  security?: JsonSchema[]
  parameters?: JsonSchema[]
  requestBody?: JsonSchema
  responses: Record<string, JsonSchema>
}

const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.string().describe('Stable; what programs look at.'),
    error: z.string().describe('The same as detail, for clients of the first generation.'),
    requestId: z.string(),
    details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' })

export function openApiDocument(app: Hono<ApiEnv>): OpenApiDocument {
  const writer = createSchemaWriter()
  const paths: OpenApiDocument['paths'] = {}
  for (const { method, path, handlers } of endpointsOf(app)) {
    const template = path.replace(/:(\w+)(\{[^}]*\})?\??/g, '{$1}')
    paths[template] ??= {}
    paths[template][method.toLowerCase()] = documented(writer, method, path, handlers)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Job Server',
      version: '1',
      description: 'Runs heavy jobs, each in an operating system process of its own. Durations are seconds.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: writer.components,
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key.' } },
    },
  }
}

interface Endpoint {
  method: string
  path: string
  handlers: object[]
}

/** Handlers of one method and path stand one after the other in Hono's list; what is for all methods is middleware. */
function endpointsOf(app: Hono<ApiEnv>): Endpoint[] {
  const endpoints = new Map<string, Endpoint>()
  for (const { method, path, handler } of app.routes) {
    if (method === 'ALL' || path.includes('*')) continue
    const name = `${method} ${path}`
    const endpoint = endpoints.get(name) ?? { method, path, handlers: [] }
    endpoint.handlers.push(handler)
    endpoints.set(name, endpoint)
  }
  return [...endpoints.values()]
}

function documented(
  writer: SchemaWriter,
  method: string,
  path: string,
  handlers: object[],
): DocumentedOperation {
  const described: Operation = handlers.map(operationOf).find((found) => found !== undefined) ?? {
    summary: `${method} ${path}`,
    answers: { 200: { description: 'Done.' } },
  }
  const inputs = handlers.map(inputOf).filter((input) => input !== undefined)
  const isGuarded = /^\/(v1|metrics)(\/|$)/.test(path)
  const parameters = parametersOf(writer, inputs, path)
  const requestBody = requestBodyOf(writer, inputs, described)
  const description = [
    described.description,
    isGuarded ? `Needs the scope \`${scopeFor(method, path)}\`.` : undefined,
  ].filter((sentence) => sentence !== undefined)
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary: described.summary,
    ...(description.length > 0 ? { description: description.join(' ') } : {}),
    tags: [/^\/v1\/(\w+)/.exec(path)?.[1] ?? 'operations'],
    ...(isGuarded ? { security: [{ key: [] }] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: {
      ...answersOf(writer, described),
      ...problemsOf(writer, [
        ...(described.problems ?? []),
        ...(inputs.length > 0 ? (['invalid_request'] as const) : []),
        ...(requestBody === undefined
          ? []
          : (['malformed_body', 'body_too_large', 'unsupported_media_type'] as const)),
        ...(isGuarded ? (['unauthorized', 'forbidden', 'rate_limited', 'busy'] as const) : []),
        'internal_error',
      ]),
    },
  }
}

function answersOf(writer: SchemaWriter, { answers }: Operation): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, contentType, example }]) => {
      const media = schema === undefined ? {} : { schema: writer.write(schema, 'output') }
      const shown = example === undefined ? media : { ...media, example }
      const type = contentType ?? (schema === undefined ? undefined : 'application/json')
      return [status, { description, ...(type === undefined ? {} : { content: { [type]: shown } }) }]
    }),
  )
}

function problemsOf(writer: SchemaWriter, codes: ProblemCode[]): Record<string, JsonSchema> {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of new Set(codes)) {
    byStatus.set(statusOfCode[code], [...(byStatus.get(statusOfCode[code]) ?? []), code])
  }
  const schema = writer.write(Problem, 'output')
  return Object.fromEntries(
    [...byStatus].map(([status, named]) => [
      String(status),
      { description: named.join(', '), content: { 'application/problem+json': { schema } } },
    ]),
  )
}

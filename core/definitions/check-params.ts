/** Checks parameters against the JSON Schema that a definition was registered with. */
import { z } from 'zod'
import { InvalidParams } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import type { RegisteredDefinition } from './read.ts'

/** Compiling a schema costs far more than using it; the text is the key, so a new registration is seen. */
const compiled = new Map<string, z.ZodType>()
const compiledLimit = 1000
/** Of definitions that are kept, whose text need not be made for each job. */
const schemaOf = new WeakMap<RegisteredDefinition, z.ZodType>()

/** @throws InvalidParams with path and message of every problem */
export function checkParams(definition: RegisteredDefinition, params: JsonObject): void {
  const outcome = schemaFor(definition).safeParse(params)
  if (outcome.success) return
  throw new InvalidParams(
    definition.key,
    outcome.error.issues.map((issue) => ({
      path: ['params', ...issue.path].join('.'),
      message: issue.message,
    })),
  )
}

function schemaFor(definition: RegisteredDefinition): z.ZodType {
  const known = schemaOf.get(definition)
  if (known !== undefined) return known
  const schema = compile(definition.paramsSchema)
  schemaOf.set(definition, schema)
  return schema
}

function compile(schema: JsonObject): z.ZodType {
  const text = JSON.stringify(schema)
  const known = compiled.get(text)
  if (known !== undefined) return known
  if (compiled.size >= compiledLimit) compiled.clear()
  const fresh = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
  compiled.set(text, fresh)
  return fresh
}

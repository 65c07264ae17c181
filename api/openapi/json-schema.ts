/** Zod schemas as JSON Schema 2020-12, which OpenAPI 3.1 takes as it is; what has a name becomes a component. */
import { z } from 'zod'

export type JsonSchema = Record<string, unknown>

export interface SchemaWriter {
  /** @param io `input`: what may be sent; `output`: what is answered */
  write(schema: z.ZodType, io: 'input' | 'output'): JsonSchema
  components: Record<string, JsonSchema>
}

export function createSchemaWriter(): SchemaWriter {
  const components: Record<string, JsonSchema> = {}
  return {
    components,
    write(schema, io) {
      const {
        $schema: _,
        $defs,
        ...written
      } = z.toJSONSchema(schema, { io, unrepresentable: 'any', override })
      Object.assign(components, relinked($defs ?? {}))
      return relinked(written) as JsonSchema
    },
  }
}

/** Some schemas say with `.meta({ openapi })` what they are to clients, in place of how they are made. */
function override({ jsonSchema }: { jsonSchema: JsonSchema }): void {
  const { openapi, ...rest } = jsonSchema as { openapi?: JsonSchema }
  if (openapi === undefined) return
  for (const key of Object.keys(jsonSchema)) delete jsonSchema[key]
  const { default: fallback, description } = rest as JsonSchema
  Object.assign(jsonSchema, openapi, fallback === undefined ? {} : { default: fallback })
  if (description !== undefined) jsonSchema.description = description
}

function relinked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relinked)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string'
        ? item.replace('#/$defs/', '#/components/schemas/')
        : relinked(item),
    ]),
  )
}

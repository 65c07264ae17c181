/** What requests take, as the document says it. */
import type { z } from 'zod'
import type { JsonSchema, SchemaWriter } from './json-schema.ts'
import type { Input, Operation } from './operation.ts'

const places = { param: 'path', query: 'query', header: 'header' } as const

/** Parameters of the path stand there even where nothing validates them. */
export function parametersOf(writer: SchemaWriter, inputs: Input[], path: string): JsonSchema[] {
  const parameters = inputs.flatMap((input) => {
    if (input === 'optional body' || !(input.target in places)) return []
    const place = places[input.target as keyof typeof places]
    return properties(writer, input.schema).map(({ name, required, schema }) => {
      const { description, ...rest } = schema
      return {
        name,
        in: place,
        required: place === 'path' || required,
        ...(description === undefined ? {} : { description }),
        schema: rest,
      }
    })
  })
  const named = new Set(parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name))
  const unnamed = [...path.matchAll(/:(\w+)/g)]
    .map(([, name = '']) => name)
    .filter((name) => !named.has(name))
  return [
    ...unnamed.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...parameters,
  ]
}

export function requestBodyOf(
  writer: SchemaWriter,
  inputs: Input[],
  { example, otherBodies = {} }: Operation,
): JsonSchema | undefined {
  const json = inputs.find((input) => input !== 'optional body' && input.target === 'json')
  const content: Record<string, JsonSchema> = {}
  if (json !== undefined && json !== 'optional body') {
    content['application/json'] = {
      schema: writer.write(json.schema, 'input'),
      ...(example === undefined ? {} : { example }),
    }
  }
  for (const [type, schema] of Object.entries(otherBodies)) {
    content[type] = { schema: writer.write(schema, 'input') }
  }
  if (Object.keys(content).length === 0) return undefined
  return { required: !inputs.includes('optional body'), content }
}

function properties(writer: SchemaWriter, object: z.ZodType) {
  const written = writer.write(object, 'input') as {
    properties?: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(written.properties ?? {}).map(([name, schema]) => ({
    name,
    schema,
    required: written.required?.includes(name) ?? false,
  }))
}

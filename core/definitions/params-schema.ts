/**
 * The JSON Schema that parameters are checked against when they are enqueued, where the definition's code is not at hand.
 * It may let pass what the definition then refuses, and never the reverse: zod's own translation leaves out what JSON
 * Schema has no word for, such as the flags of a pattern or what a value is coerced to before it is looked at.
 */
import { z } from 'zod'
import type { JsonObject } from '../json.ts'

type Schema = z.core.$ZodTypes
type Def = Schema['_zod']['def']
type JsonSchema = z.core.JSONSchema.BaseSchema

interface Check {
  format?: string
  pattern?: RegExp
  /** What changes the value. */
  tx?: (value: unknown) => unknown
}

/** @throws Error naming each parameter that no JSON can be */
export function paramsSchemaOf(params: z.ZodType): JsonObject {
  const problems = notOfJson(params as unknown as Schema)
  if (problems.length > 0) throw new Error(problems.join('; '))
  const schema = z.toJSONSchema(params, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => loosen(zodSchema, jsonSchema),
  })
  return schema as JsonObject
}

const asJson: Partial<Record<Def['type'], string>> = {
  date: 'z.iso.datetime() or z.coerce.date()',
  bigint: 'z.int(), or z.coerce.bigint() of a string',
  set: 'z.array()',
  map: 'z.record() or an array of pairs',
  symbol: 'a string',
  function: 'what it is made of',
  file: 'the key of an upload',
}

/** What a schema says without any other way in: not of what is one of several, has a default, or comes of another value. */
function notOfJson(
  schema: Schema,
  path: (string | number)[] = ['params'],
  seen = new Set<Schema>(),
): string[] {
  if (seen.has(schema)) return []
  seen.add(schema)
  const inside = (inner: z.core.$ZodType, ...steps: (string | number)[]) =>
    notOfJson(inner as Schema, [...path, ...steps], seen)
  const { def } = schema._zod
  const instead = asJson[def.type]
  if (instead !== undefined) {
    return isCoerced(def)
      ? []
      : [`${path.join('.')}: no JSON is a ${def.type}, so no job could be given one; use ${instead}`]
  }
  switch (def.type) {
    case 'object':
      return Object.entries(def.shape).flatMap(([key, inner]) => inside(inner, key))
    case 'array':
      return inside(def.element, '*')
    case 'tuple':
      return def.items.flatMap((inner, place) => inside(inner, place))
    case 'record':
      return inside(def.valueType, '*')
    case 'intersection':
      return [...inside(def.left), ...inside(def.right)]
    case 'optional':
    case 'nullable':
    case 'nonoptional':
    case 'readonly':
      return inside(def.innerType)
    case 'pipe':
      return inside(def.in)
    case 'lazy':
      return inside(def.getter())
    default:
      return []
  }
}

function loosen(schema: Schema, json: JsonSchema): void {
  const { def } = schema._zod
  if (isCoerced(def) || def.type === 'catch' || (def.type === 'pipe' && def.in._zod.def.type === 'transform'))
    keepAnnotations(json)
  else if (def.type === 'object')
    json.required = json.required?.filter((key) => !mayBeMissing(def.shape[key]))
  else if (def.type === 'union' && json.oneOf !== undefined && !('discriminator' in def)) {
    // What each of them refuses of the others may be just what is left out, unless it is a word of its own.
    json.anyOf = json.oneOf
    delete json.oneOf
  } else if (def.type === 'tuple' && def.items.some(mayBeMissing)) delete json.minItems
  loosenChecks(schema, json)
}

/** Whether the schema makes something of nothing. */
function mayBeMissing(schema: z.core.$ZodType | undefined): boolean {
  try {
    return schema === undefined || z.core.safeParse(schema, undefined).success
  } catch {
    // It looks elsewhere first.
    return true
  }
}

const annotations = ['title', 'description', 'default', 'examples', 'deprecated', 'id']

function keepAnnotations(json: JsonSchema): void {
  for (const name of Object.keys(json)) if (!annotations.includes(name)) delete json[name]
}

function loosenChecks(schema: Schema, json: JsonSchema): void {
  const checks = (schema._zod.def.checks ?? []).map(({ _zod }) => _zod.def) as Check[]
  const changes = checks.flatMap(({ tx }) => tx ?? [])
  // What is looked at behind a change of the value says nothing of the value that was given.
  if (changes.length > 0) {
    const refusesNothing =
      json.minLength !== undefined && (lengthOfNothing(changes) ?? json.minLength) < json.minLength
    for (const name of ofTheValue) delete json[name]
    if (json.type === 'integer') json.type = 'number'
    if (refusesNothing) json.minLength = 1
    return
  }
  // A format is a check of its own.
  const all = [schema._zod.def as Check, ...checks]
  if (all.some(({ pattern }) => /[imsuv]/.test(pattern?.flags ?? ''))) {
    delete json.pattern
    delete json.allOf
  }
  // By other names, or by one that was only written beside it, JSON Schema means something else; the pattern says it.
  const isMeant = ({ format, pattern }: Check) =>
    format !== undefined &&
    format !== 'guid' &&
    (format !== 'email' || pattern?.source === z.regexes.email.source)
  if (schema._zod.traits.has('$ZodCustomStringFormat') || !all.some(isMeant)) delete json.format
}

const ofTheValue = [
  ...['pattern', 'format', 'contentEncoding', 'minLength', 'maxLength', 'allOf'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minItems', 'maxItems'],
]

/** Of an empty text after its changes; undefined where they are not for texts. */
function lengthOfNothing(changes: ((value: unknown) => unknown)[]): number | undefined {
  try {
    const changed = changes.reduce<unknown>((value, change) => change(value), '')
    return typeof changed === 'string' ? changed.length : undefined
  } catch {
    return undefined
  }
}

function isCoerced(def: Def): boolean {
  return 'coerce' in def && def.coerce === true
}

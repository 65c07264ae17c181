import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { checkParams } from '../../../../core/definitions/check-params.ts'
import { paramsSchemaOf } from '../../../../core/definitions/params-schema.ts'
import type { Json } from '../../../../core/json.ts'

/** Whether parameters with this value are taken when they are enqueued. */
function isEnqueued(schema: z.ZodType, value: Json | undefined): boolean {
  const paramsSchema = paramsSchemaOf(z.object({ value: schema }))
  const definition = { key: 'checked', paramsSchema } as Parameters<typeof checkParams>[0]
  try {
    checkParams(definition, value === undefined ? {} : { value })
    return true
  } catch {
    return false
  }
}

const ofTexts: Record<string, z.ZodType> = {
  text: z.string(),
  'text of a length': z.string().min(2).max(5),
  pattern: z.string().regex(/^[a-z]+$/),
  'pattern whatever the case': z.string().regex(/^abc$/i),
  'pattern of all letters': z.string().regex(/^\p{L}+$/u),
  'pattern over lines': z.string().regex(/^b$/m),
  'two patterns': z.string().regex(/^a/).regex(/C$/i),
  'changed before its pattern': z
    .string()
    .toLowerCase()
    .regex(/^[a-z]+$/),
  'trimmed before its length': z.string().trim().min(1).max(3),
  'made longer before its length': z
    .string()
    .overwrite((text) => text.padEnd(5, '.'))
    .min(5),
  guid: z.guid(),
  uuid: z.uuid(),
  email: z.email(),
  'email of the browser': z.email({ pattern: z.regexes.html5Email }),
  'email in any case': z.string().email().toLowerCase(),
  emoji: z.emoji(),
  'a name of its own for a format': z.stringFormat('uri', /^a/),
  'a format only told': z.string().meta({ format: 'date-time' }),
  url: z.url(),
  'url of a host': z.url({ hostname: /^example\.com$/, protocol: /^https$/ }),
  time: z.iso.datetime(),
  'time anywhere': z.iso.datetime({ offset: true, local: true }),
  date: z.iso.date(),
  'time of day': z.iso.time(),
  ipv4: z.ipv4(),
  base64: z.base64(),
  hex: z.hex(),
  template: z.templateLiteral(['a', z.number()]),
  'one of some': z.enum(['abc', 'ABC']),
  'yes or no': z.stringbool(),
  'changed after it was checked': z
    .string()
    .max(5)
    .transform((text) => text.length),
  'coerced date': z.coerce.date(),
  'coerced bigint': z.coerce.bigint(),
  'decoded date': z.codec(z.iso.datetime(), z.date(), {
    decode: (text) => new Date(text),
    encode: (date) => date.toISOString(),
  }),
}

const ofOthers: Record<string, z.ZodType> = {
  number: z.number(),
  integer: z.int().min(2).max(1000),
  'rounded before it is checked': z.number().overwrite(Math.round).int().max(6),
  'steps of a tenth': z.number().multipleOf(0.1),
  'coerced number': z.coerce.number().min(3),
  'coerced text': z.coerce.string().min(2),
  'coerced truth': z.coerce.boolean(),
  'number or else': z.number().catch(1),
  'preprocessed text': z.preprocess((value) => String(value), z.string().max(4)),
  'default date': z.date().default(() => new Date(0)),
  'text or date': z.union([z.string(), z.date()]),
  'default number': z.number().default(4),
  'optional number': z.number().optional(),
  'null or nothing': z.number().nullish(),
  whatever: z.unknown(),
  json: z.json(),
  list: z.array(z.string().regex(/^x$/i)).min(1).max(2),
  pair: z.tuple([z.string(), z.number().catch(0)]),
  object: z.object({ name: z.string().trim().min(1), count: z.number().catch(0) }),
  'strict object': z.strictObject({ name: z.string() }),
  record: z.record(z.string(), z.number()),
  'record of some': z.partialRecord(z.enum(['a', 'b']), z.number()),
  discriminated: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), at: z.coerce.date() }),
    z.object({ kind: z.literal('b'), n: z.number() }),
  ]),
  'just one of two': z.xor([z.string().regex(/^a$/i), z.string().regex(/^abc$/i)]),
  both: z.intersection(z.object({ a: z.number() }), z.object({ b: z.string().toLowerCase().max(2) })),
  'read only': z.object({ name: z.string() }).readonly(),
  none: z.null(),
  'described and kept': z.string().regex(/^a/i).meta({ description: 'with an a' }),
}

const values: (Json | undefined)[] = [
  ...[undefined, null, true, false, 0, 1, 2.5, 4, 5.6, 7, 0.3, 1e21, -3],
  ...[
    '',
    ' ',
    'a',
    'abc',
    'ABC',
    'aBC',
    'äö',
    '  abc  ',
    'a\nb\nc',
    '5',
    '17.5',
    'true',
    'no',
    '😀',
    'abcdef',
    'a5',
  ],
  ...['00000000-0000-0000-0000-00000000000g', '12345678-1234-0234-0234-123456789abc'],
  ...['5f0f1ba6-7b4d-4fcf-9f0e-1f1a1b2c3d4e', 'ada@example.com', 'ADA@EXAMPLE.COM', 'ada@localhost'],
  ...['https://example.com/', 'http://other.org', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05+02:00'],
  ...['2026-01-02T03:04', '2026-01-02', '03:04:05', '10.0.0.1', 'YWJj', 'deadBEEF'],
  ...[[], ['x'], ['X'], ['x', 'y'], ['a', 1], ['a', 'b'], ['a']],
  ...[{}, { name: 'x' }, { name: ' ' }, { name: ' x ', count: 'many' }, { name: 'x', more: 1 }],
  ...[
    { a: 1 },
    { a: 1, b: 'AB' },
    { a: 'x' },
    { kind: 'a', at: '2026-01-02' },
    { kind: 'a', at: 5 },
    { kind: 'b', n: 1 },
  ],
]

describe.each([...Object.entries(ofTexts), ...Object.entries(ofOthers)])('%s', (_name, schema) => {
  test('what the definition takes is enqueued', () => {
    const taken = values.filter(
      (value) => z.object({ value: schema }).safeParse(value === undefined ? {} : { value }).success,
    )
    expect(taken.length).toBeGreaterThan(0)
    expect(taken.filter((value) => !isEnqueued(schema, value))).toEqual([])
  })
})

test.each<[string, z.ZodType, Json | undefined]>([
  ['another pattern', ofTexts.pattern as z.ZodType, 'ABC'],
  ['nothing where it is trimmed', ofTexts['trimmed before its length'] as z.ZodType, ''],
  ['no email', z.email(), 'ada'],
  ['no guid', z.guid(), 'ada'],
  ['a text for a number', z.number(), '5'],
  ['a missing text', z.string(), undefined],
  ['a missing text beside one that need not be', z.object({ a: z.string(), b: z.number().catch(0) }), {}],
  ['too many', z.array(z.string()).max(1), ['x', 'y']],
])('%s is refused when it is enqueued', (_what, schema, value) => {
  expect(isEnqueued(schema, value)).toBe(false)
})

test.each<[string, z.ZodType, string]>([
  ['date', z.date(), 'params.value: no JSON is a date'],
  ['optional date', z.date().optional(), 'params.value: no JSON is a date'],
  ['bigint in a list', z.array(z.bigint()), 'params.value.*: no JSON is a bigint'],
  ['set within', z.object({ of: z.set(z.string()) }), 'params.value.of: no JSON is a set'],
  ['map', z.map(z.string(), z.string()).nullable(), 'params.value: no JSON is a map'],
])('%s as a parameter is an error of the definition', (_what, schema, message) => {
  expect(() => paramsSchemaOf(z.object({ value: schema }))).toThrow(message)
})

test('a schema that holds itself is looked through once', () => {
  const tree: z.ZodType = z.object({
    at: z.coerce.date(),
    get below() {
      return z.array(tree)
    },
  })
  expect(isEnqueued(tree, { at: '2026-01-02', below: [{ at: 5, below: [] }] })).toBe(true)
})

test('a discriminated union stays one, for forms to be made of', () => {
  const { properties } = paramsSchemaOf(z.object({ value: ofOthers.discriminated as z.ZodType }))
  expect(properties).toMatchObject({ value: { oneOf: [{ type: 'object' }, { type: 'object' }] } })
})

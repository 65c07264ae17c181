import { expect, test } from 'vitest'
import { z } from 'zod'
import { fieldsOf, parseField, type SchemaField } from '../../../web/ui/schema-form.ts'

const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>

test('properties become fields by their types, those that are needed first', () => {
  const schema = z.object({
    note: z.string().optional().describe('Seen by all.'),
    count: z.int().default(3),
    kind: z.enum(['small', 'large']),
    numbers: z.array(z.number()),
    names: z.array(z.string()).optional(),
    options: z.object({ deep: z.boolean() }).optional(),
    isLoud: z.boolean().optional(),
  })
  expect(fieldsOf(schemaOf(schema))).toMatchObject([
    { name: 'kind', kind: 'choice', isRequired: true, options: ['small', 'large'] },
    { name: 'numbers', kind: 'lines', isRequired: true, item: 'number' },
    { name: 'note', kind: 'text', isRequired: false, description: 'Seen by all.' },
    { name: 'count', kind: 'integer', isRequired: false, initial: '3' },
    { name: 'names', kind: 'lines', item: 'text' },
    { name: 'options', kind: 'json' },
    { name: 'isLoud', kind: 'boolean' },
  ])
})

test('objects that differ by one word are one form in which the word is chosen', () => {
  const numbers = z.array(z.number())
  const schema = z.discriminatedUnion('operation', [
    z.object({ operation: z.literal('sum'), numbers }),
    z.object({ operation: z.literal('product'), numbers }),
  ])
  expect(fieldsOf(schemaOf(schema))).toMatchObject([
    { name: 'operation', kind: 'choice', options: ['sum', 'product'], isRequired: true },
    { name: 'numbers', kind: 'lines', isRequired: true },
  ])
})

test.each([
  ['a list', z.array(z.string())],
  ['a union of unlike objects', z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])],
  ['anything', z.any()],
])('%s is no form', (_name, schema) => {
  expect(fieldsOf(schemaOf(schema))).toBeNull()
})

const field = (kind: SchemaField['kind'], item: SchemaField['item'] = 'text'): SchemaField => ({
  kind,
  item,
  name: 'x',
  isRequired: false,
  description: undefined,
  options: [],
  initial: '',
})

test.each([
  ['text', 'a b', 'a b'],
  ['number', '1.5', 1.5],
  ['boolean', 'false', false],
  ['lines', 'a\n\nb\n', ['a', 'b']],
  ['json', '{"a": [1]}', { a: [1] }],
  ['text', '', undefined],
] as const)('what is typed into a %s field, %j, is %j', (kind, text, value) => {
  expect(parseField(field(kind), text)).toEqual(value)
})

test('what can’t be meant is said', () => {
  expect(() => parseField(field('number'), 'many')).toThrow('"many" is not a number.')
  expect(() => parseField(field('lines', 'number'), '1\ntwo')).toThrow('"two" is not a number.')
  expect(() => parseField(field('json'), '{a}')).toThrow('This is not JSON.')
})

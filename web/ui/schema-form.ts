/**
 * JSON Schema of parameters as fields of a form. What a form has no field for (unions, objects in objects) is written as
 * JSON; the API checks all of it anyway.
 */
type FieldKind = 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'lines' | 'json'

export interface SchemaField {
  name: string
  kind: FieldKind
  isRequired: boolean
  description: string | undefined
  /** Of a choice. */
  options: string[]
  /** Of the lines, what each is. */
  item: 'text' | 'number'
  initial: string
}

type Schema = Record<string, unknown>

/** @returns null where the parameters as a whole are no object with named properties */
export function fieldsOf(schema: Schema): SchemaField[] | null {
  const merged = mergedOf(schema)
  const properties = objectOf(merged.properties)
  if (merged.type !== 'object' || properties === null) return null
  const required = Array.isArray(merged.required) ? merged.required : []
  const fields = Object.entries(properties).map(([name, value]) =>
    fieldOf(name, objectOf(value) ?? {}, required.includes(name)),
  )
  return fields.sort((a, b) => Number(b.isRequired) - Number(a.isRequired))
}

/** Objects that differ by the word in one of their properties, as one in which that is a choice. */
function mergedOf(schema: Schema): Schema {
  const forms = (Array.isArray(schema.oneOf) ? schema.oneOf : []).map(objectOf)
  const names = forms.map((form) =>
    Object.keys(objectOf(form?.properties) ?? {})
      .sort()
      .join(),
  )
  if (forms.length === 0 || names.some((each) => each !== names[0])) return schema
  const properties = forms.map((form) => objectOf(form?.properties) ?? {})
  const merged = Object.entries(properties[0] ?? {}).map(([name, value]) => {
    const words = properties.map((each) => objectOf(each[name])?.const)
    return [name, words.every((word) => typeof word === 'string') ? { type: 'string', enum: words } : value]
  })
  return { ...forms[0], properties: Object.fromEntries(merged) }
}

function fieldOf(name: string, schema: Schema, isRequired: boolean): SchemaField {
  const options = Array.isArray(schema.enum) ? schema.enum.filter((each) => typeof each === 'string') : []
  const kind = kindOf(schema, options)
  return {
    name,
    kind,
    // What has a default need not be given, though the schema of what comes out says it is there.
    isRequired: isRequired && schema.default === undefined,
    description: typeof schema.description === 'string' ? schema.description : undefined,
    options,
    item: objectOf(schema.items)?.type === 'string' ? 'text' : 'number',
    initial: initialOf(schema.default, kind),
  }
}

function kindOf(schema: Schema, options: string[]): FieldKind {
  if (options.length > 0) return 'choice'
  if (schema.type === 'string') return 'text'
  if (schema.type === 'number' || schema.type === 'integer' || schema.type === 'boolean') return schema.type
  const itemType = objectOf(schema.items)?.type
  const isList = schema.type === 'array' && ['string', 'number', 'integer'].includes(String(itemType))
  return isList ? 'lines' : 'json'
}

function initialOf(value: unknown, kind: FieldKind): string {
  if (value === undefined) return ''
  if (kind === 'lines' && Array.isArray(value)) return value.join('\n')
  return kind === 'json' ? JSON.stringify(value) : String(value)
}

/** What was typed, as the value that it stands for; undefined: nothing. @throws Error that names what is wrong */
export function parseField(field: SchemaField, text: string): unknown {
  if (text === '') return undefined
  switch (field.kind) {
    case 'text':
    case 'choice':
      return text
    case 'boolean':
      return text === 'true'
    case 'number':
    case 'integer':
      return numberOf(text)
    case 'lines': {
      const lines = text.split('\n').filter((line) => line.trim() !== '')
      return field.item === 'text' ? lines : lines.map(numberOf)
    }
    case 'json':
      return jsonOf(text)
  }
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('This is not JSON.')
  }
}

function numberOf(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new Error(`"${text}" is not a number.`)
  return value
}

function objectOf(value: unknown): Schema | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : null
}

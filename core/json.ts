/** What JSON can carry: parameters, results, progress and event payloads are of this type. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The same value with what PostgreSQL refuses in text and jsonb, NUL characters and lone surrogates, replaced
 * by U+FFFD. For what comes out of job code; what a client sends is refused instead.
 */
export function storable<Value extends Json>(value: Value): Value
export function storable(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\0', '\uFFFD')
  if (Array.isArray(value)) return value.map((item) => storable(item))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [storable(key), storable(item)]))
}

/** Whether PostgreSQL can store the value as it is. */
export function isStorable(value: Json): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0')
  if (Array.isArray(value)) return value.every(isStorable)
  if (value === null || typeof value !== 'object') return true
  return Object.entries(value).every(([key, item]) => isStorable(key) && isStorable(item))
}

/** Requests that the document of an API allows, bent in one or more places into what it does not. */
import fc from 'fast-check'

export interface FuzzedRequest {
  path: string
  headers: Record<string, string>
  /** Null: none. */
  body: Uint8Array<ArrayBuffer> | null
}

export interface DocumentedOperation {
  method: string
  template: string
  parameters: { name: string; in: string; schema: Record<string, unknown> }[]
  /** Of a JSON body; undefined where there is none. */
  bodyExample: unknown
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const nastyText = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '\u202e\u0000\uffff',
  '../../../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  "'; drop table job_server.jobs; --",
  '%s%n%x{{7*7}}',
  'a\r\nX-Injected: 1',
  '<script>alert(1)</script>',
  '🎬'.repeat(300),
  'x'.repeat(256),
  'x'.repeat(5000),
  'null',
  'true',
  '-1',
  '1e999',
  '99999999999999999999',
  '0x10',
  '9999-12-31T23:59:59-12:00',
  '0000-01-01T00:00:00Z',
  '2030-02-30T00:00:00Z',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '__proto__',
  'constructor',
]

const nastyValue: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom(...nastyText),
  fc.constantFrom(...nastyText).map((text) => [text]),
  fc.constantFrom(...nastyText).map((text) => ({ [text]: text })),
  fc.constantFrom<Json>(
    null,
    true,
    0,
    -1,
    1.5,
    1e308,
    -1e308,
    5e-324,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 53,
    2 ** 63,
    [],
    {},
    [[]],
    [null],
    { a: null },
  ),
  fc.integer({ min: 1, max: 99 }).map((depth) => nested(depth)),
  fc.jsonValue() as fc.Arbitrary<Json>,
)

const nastyBody: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc.oneof(
  fc
    .constantFrom(
      '',
      '{',
      '[',
      'null',
      '"',
      '{"a":1,}',
      '{"a":1e999}',
      `{"a":${'9'.repeat(400)}}`,
      'NaN',
      '\ufeff{}',
      `${'['.repeat(100_000)}`,
      `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
      `{"${'k'.repeat(900_000)}":1}`,
      '{"__proto__":{"limit":1},"constructor":1}',
      `"${'x'.repeat(1_048_600)}"`,
    )
    .map(bytes),
  fc.constant(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
  fc.uint8Array({ maxLength: 200 }).map((array) => new Uint8Array(array)),
)

/** @param ids of things that are there, so that not every look-up ends in 404 */
export function fuzzedRequest(operation: DocumentedOperation, ids: string[]): fc.Arbitrary<FuzzedRequest> {
  const id = fc.constantFrom(...ids)
  const segment = fc.oneof(
    { weight: 3, arbitrary: id },
    { weight: 1, arbitrary: fc.constantFrom(...nastyText) },
  )
  const names = (place: string) => operation.parameters.filter(({ in: where }) => where === place)
  const pathValues = fc.array(segment, {
    minLength: names('path').length,
    maxLength: names('path').length,
  })
  const pair = fc.tuple(
    fc.constantFrom(...names('query').map(({ name }) => name), 'unknown', '__proto__'),
    fc.oneof(id, fc.constantFrom(...nastyText, '1', '0', 'queued', 'true')),
  )
  return fc.record({
    path: fc.tuple(pathValues, fc.array(pair, { maxLength: 4 })).map(([values, pairs]) => {
      let next = 0
      const path = operation.template.replace(/\{\w+\}/g, () =>
        encodeURIComponent(wellFormed(values[next++] ?? '')),
      )
      const query = pairs.map(([name, value]) => `${name}=${encodeURIComponent(wellFormed(value))}`).join('&')
      return query === '' ? path : `${path}?${query}`
    }),
    headers: fc.constantFrom<Record<string, string>>(
      { 'content-type': 'application/json' },
      { 'content-type': 'application/json; charset=utf-8' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'multipart/form-data' },
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'content-type': 'application/json', 'idempotency-key': 'x'.repeat(300) },
      { 'content-type': 'application/json', 'x-request-id': '../..' },
      { 'content-type': 'application/json', range: 'bytes=-0,5-', 'last-event-id': 'NaN' },
    ),
    body:
      operation.method === 'GET'
        ? fc.constant(null)
        : fc.oneof(
            {
              weight: 4,
              arbitrary: bent(operation.bodyExample ?? {}).map((value) => bytes(JSON.stringify(value))),
            },
            { weight: 1, arbitrary: nastyBody },
            { weight: 1, arbitrary: fc.constant(null) },
          ),
  })
}

/** The example with some of its words, at any depth, replaced, left out or put in. */
function bent(example: unknown): fc.Arbitrary<Json> {
  const places = placesIn(example as Json)
  const change = fc.record({
    place: fc.constantFrom(...places),
    key: fc.constantFrom('limit', 'params', 'tags', 'scheduledAt', 'unknown', '__proto__', 'x'.repeat(2000)),
    value: nastyValue,
    what: fc.constantFrom('replace', 'remove', 'add'),
  })
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    let value = example as Json
    for (const { place, key, value: nasty, what } of changes) {
      value =
        what === 'add'
          ? changed(value, [...place, key], () => nasty)
          : changed(value, place, () => (what === 'remove' ? undefined : nasty))
    }
    return value
  })
}

function placesIn(value: Json, place: string[] = []): string[][] {
  if (value === null || typeof value !== 'object') return [place]
  return [place, ...Object.entries(value).flatMap(([key, item]) => placesIn(item, [...place, key]))]
}

function changed(value: Json, [key, ...rest]: string[], change: () => Json | undefined): Json {
  if (key === undefined) return change() ?? null
  if (value === null || typeof value !== 'object') return value
  const copy: Record<string, Json> = { ...(value as Record<string, Json>) }
  const next = rest.length === 0 ? change() : changed(copy[key] ?? null, rest, change)
  if (next === undefined) delete copy[key]
  else Object.defineProperty(copy, key, { value: next, enumerable: true, configurable: true, writable: true })
  return Array.isArray(value) ? Object.values(copy) : copy
}

function nested(depth: number): Json {
  let value: Json = 'bottom'
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value }
  return value
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}

/** A URL can't carry half a character. */
function wellFormed(text: string): string {
  return text.toWellFormed()
}

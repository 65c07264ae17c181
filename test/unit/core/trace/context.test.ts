import { describe, expect, test } from 'vitest'
import { parseTrace, traceHeaders } from '../../../../core/trace/context.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const valid = `00-${traceId}-${spanId}-01`

test('a trace is read, and written as it was', () => {
  const context = parseTrace(valid, 'congo=t61rcWkgMzE, rojo=00f067aa0ba902b7 ,')
  expect(context).toEqual({ traceId, spanId, flags: 1, state: 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7' })
  if (context === null) throw new Error('there is no context')
  expect(traceHeaders(context)).toEqual({
    traceparent: valid,
    tracestate: 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7',
  })
})

test.each([
  ['no flag', `00-${traceId}-${spanId}-00`, 0],
  ['sampled', `00-${traceId}-${spanId}-01`, 1],
  ['sampled and random (level 2)', `00-${traceId}-${spanId}-03`, 3],
  ['flags that are not known, which are not passed on', `00-${traceId}-${spanId}-fd`, 1],
  ['a version to come', `01-${traceId}-${spanId}-01`, 1],
  ['a version to come that says more', `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`, 1],
])('%s can be gone on from', (_what, header, flags) => {
  expect(parseTrace(header)).toEqual({ traceId, spanId, flags, state: '' })
})

test.each([
  ['none', undefined],
  ['nothing', ''],
  ['no traceparent', 'hello'],
  ['version ff', `ff-${traceId}-${spanId}-01`],
  ['version 00 that says more', `00-${traceId}-${spanId}-01-more`],
  ['version 00 with a dash too many', `00-${traceId}-${spanId}-01-`],
  ['a version to come that goes on without a dash', `cc-${traceId}-${spanId}-01.more`],
  ['a version of one digit', `0-${traceId}-${spanId}-01`],
  ['upper case', `00-${traceId.toUpperCase()}-${spanId}-01`],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
  ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
  ['a short trace id', `00-${traceId.slice(1)}-${spanId}-01`],
  ['a long span id', `00-${traceId}-${spanId}0-01`],
  ['no flags', `00-${traceId}-${spanId}`],
  ['flags of one digit', `00-${traceId}-${spanId}-1`],
  ['flags that are no hex', `00-${traceId}-${spanId}-0x`],
  ['a line break', `${valid}\n`],
  ['two of them', `${valid}, ${valid}`],
])('%s is no traceparent', (_what, header) => {
  expect(parseTrace(header, 'a=1')).toBeNull()
})

describe('of the tracestate', () => {
  const stateOf = (text: string) => parseTrace(valid, text)?.state

  test.each([
    ['a key of a system of many tenants', 'fw529a3039@dt=FfD_/,1*-a=2'],
    ['a value with spaces in it', 'a=b c'],
    ['32 members', Array.from({ length: 32 }, (_, index) => `k${index}=v`).join(',')],
  ])('%s is passed on', (_what, text) => expect(stateOf(text)).toBe(text))

  test.each([
    ['a key in upper case', 'Foo=1'],
    ['a key that begins with a dash', '-a=1'],
    ['a member without a value', 'a'],
    ['an empty key', '=1'],
    ['a key twice', 'a=1,a=2'],
    ['a value with an equals sign', 'a=1=2'],
    ['a value beyond ASCII', 'a=é'],
    ['33 members', Array.from({ length: 33 }, (_, index) => `k${index}=v`).join(',')],
  ])('%s leaves none, and the trace as it is', (_what, text) => {
    expect(parseTrace(valid, text)).toEqual({ traceId, spanId, flags: 1, state: '' })
  })

  test('whole members at its end go when it is longer than what is kept', () => {
    const long = ['a', 'b', 'c'].map((key) => `${key}=${'x'.repeat(200)}`)
    expect(stateOf(long.join(','))).toBe(long.slice(0, 2).join(','))
  })
})

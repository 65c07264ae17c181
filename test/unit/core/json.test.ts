import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isStorable, type Json, storable } from '../../../core/json.ts'

test('what storable gives is always storable, and what already was comes back unchanged', () => {
  const values = fc.jsonValue({ stringUnit: 'binary' }) as fc.Arbitrary<Json>
  fc.assert(
    fc.property(values, (value) => {
      expect(isStorable(storable(value))).toBe(true)
      if (isStorable(value)) expect(storable(value)).toEqual(value)
    }),
  )
})

test('NUL characters and lone surrogates are found in keys and values, however deep', () => {
  expect(isStorable({ a: [{ 'b\0': 1 }] })).toBe(false)
  expect(isStorable(['\ud800'])).toBe(false)
  expect(storable({ 'k\0': ['v\0', '\udc00'] })).toEqual({ 'k\uFFFD': ['v\uFFFD', '\uFFFD'] })
})

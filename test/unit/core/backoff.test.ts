import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffSeconds, defaultBackoff } from '../../../core/backoff.ts'

test('the wait lies between zero and the capped exponential, whatever the dice say', () => {
  const policies = fc.record({
    baseSeconds: fc.double({ min: 0, max: 1000, noNaN: true }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    maxSeconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
  })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      policies,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, policy, dice) => {
        const seconds = backoffSeconds(attempt, policy, () => dice)
        expect(seconds).toBeGreaterThanOrEqual(0)
        expect(seconds).toBeLessThanOrEqual(policy.maxSeconds)
        if (policy.baseSeconds > 0) {
          expect(seconds).toBeLessThanOrEqual(policy.baseSeconds * policy.factor ** (attempt - 1))
        }
      },
    ),
  )
})

test('a base of zero means no wait, even where the power overflows', () => {
  expect(backoffSeconds(433, { baseSeconds: 0, factor: 6, maxSeconds: 10 }, () => 0.5)).toBe(0)
})

test('the longest wait doubles from attempt to attempt by default', () => {
  const longest = [1, 2, 3, 4].map((attempt) => backoffSeconds(attempt, defaultBackoff, () => 1))
  expect(longest).toEqual([2, 4, 8, 16])
})

test('no wait is longer than a year, whatever the policy', () => {
  const policy = { baseSeconds: 1e300, factor: 2, maxSeconds: 1e300 }
  expect(backoffSeconds(1, policy, () => 1)).toBe(31_536_000)
})

test('an attempt before the first is a mistake of the caller', () => {
  expect(() => backoffSeconds(0, defaultBackoff)).toThrow(RangeError)
})

import { expect, test } from 'vitest'
import { Passes } from '../../../worker/passes.ts'

function observed() {
  let nowMs = 0
  const passes = new Passes(() => nowMs)
  return {
    rest: (ms: number) => {
      nowMs += ms
    },
    /** Takes a pass for so long. @returns how far back it looked, in seconds */
    pass: (ms: number, { isComplete = true } = {}) => {
      const begun = passes.begin()
      nowMs += ms
      passes.end(begun, isComplete)
      return begun.withinSeconds
    },
  }
}

test('while passes are quick, each begins at the beginning', () => {
  const { pass } = observed()
  expect([pass(20), pass(20), pass(20)]).toEqual([undefined, undefined, undefined])
})

test('after one that took long, others go back to where the last one came, and a second more', () => {
  const { pass } = observed()
  expect([pass(100), pass(10), pass(0)]).toEqual([undefined, 1.1, 1.01])
})

test('one that left some of what is due covers nothing', () => {
  const { pass } = observed()
  pass(100)
  pass(100, { isComplete: false })
  expect(pass(0)).toBe(1.2)
})

test('after a rest of twenty times as long there is one from the beginning again', () => {
  const { pass, rest } = observed()
  pass(30)
  rest(599)
  expect(pass(0)).toBeDefined()
  rest(1)
  expect(pass(0)).toBeUndefined()
})

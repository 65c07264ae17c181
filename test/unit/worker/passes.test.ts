import { expect, test } from 'vitest'
import { Passes } from '../../../worker/passes.ts'
import { until } from '../../support/until.ts'

/** Takes a pass for so long. */
async function pass(passes: Passes, ms: number, { isComplete = true } = {}) {
  const begun = passes.begin()
  await Bun.sleep(ms)
  passes.end(begun, isComplete)
  return begun.withinSeconds
}

test('while passes are quick, each begins at the beginning', async () => {
  const passes = new Passes()
  expect(await pass(passes, 0)).toBeUndefined()
  expect(await pass(passes, 0)).toBeUndefined()
})

test('after one that took long, others go back to where the last one came, and a second more', async () => {
  const passes = new Passes()
  await pass(passes, 100)
  const second = await pass(passes, 0)
  expect(second).toBeGreaterThanOrEqual(1.1)
  expect(await pass(passes, 0)).toBeLessThan(second ?? 0)
})

test('one that left some of what is due covers nothing', async () => {
  const passes = new Passes()
  await pass(passes, 100)
  await pass(passes, 100, { isComplete: false })
  expect(await pass(passes, 0)).toBeGreaterThanOrEqual(1.2)
})

test('after a rest there is one from the beginning again', async () => {
  const passes = new Passes()
  await pass(passes, 30)
  expect(await pass(passes, 0)).toBeDefined()
  await until('the rest to be over', () => passes.begin().withinSeconds === undefined)
})

import { expect, test } from 'vitest'
import { SilenceWatch } from '../../../core/silence-watch.ts'

function watching() {
  const told: number[] = []
  let at = 0
  const watch = new SilenceWatch({ seconds: 60, onSilent: () => told.push(at) })
  const tick = (times: number) => {
    for (let each = 0; each < times; each++) {
      at++
      watch.tick()
    }
  }
  return { watch, told, tick }
}

test('a question without an answer is told of once all its time is over', () => {
  const { watch, told, tick } = watching()
  void watch.over(new Promise(() => {}))
  tick(20)
  expect(told).toEqual([])
  tick(1)
  expect(told).toEqual([21])
})

test('answers and errors are passed on, and both are signs of life', async () => {
  const { watch, told, tick } = watching()
  const answered = Promise.withResolvers<string>()
  const failed = Promise.withResolvers<string>()
  const outcomes = Promise.allSettled([watch.over(answered.promise), watch.over(failed.promise)])
  tick(20)
  answered.resolve('here')
  failed.reject(new Error('refused'))
  expect(await outcomes).toMatchObject([
    { status: 'fulfilled', value: 'here' },
    { status: 'rejected', reason: { message: 'refused' } },
  ])
  tick(100)
  expect(told).toEqual([])
})

test('each question has its own time', async () => {
  const { watch, told, tick } = watching()
  const first = Promise.withResolvers<void>()
  const over = watch.over(first.promise)
  tick(15)
  void watch.over(new Promise(() => {}))
  first.resolve()
  await over
  tick(20)
  expect(told).toEqual([])
  tick(1)
  expect(told).toEqual([36])
})

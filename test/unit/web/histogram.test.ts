import { expect, test } from 'vitest'
import { percentileBetween, readHistogram } from '../../../web/views/overview/histogram.ts'

const text = `# TYPE wait histogram
wait_bucket{queue="a",le="0.1"} 10
wait_bucket{queue="a",le="1"} 30
wait_bucket{queue="a",le="+Inf"} 40
wait_sum{queue="a"} 12
wait_bucket{queue="b",le="0.1"} 5
wait_bucket{queue="b",le="1"} 5
wait_bucket{queue="b",le="+Inf"} 5
waiting_bucket{le="0.1"} 99
`

test('a histogram is summed over its labels, its bounds rising', () => {
  expect([...readHistogram(text, 'wait')]).toEqual([
    [0.1, 15],
    [1, 35],
    [Number.POSITIVE_INFINITY, 45],
  ])
})

test('a percentile lies within its bucket, by what came between two readings', () => {
  const none = readHistogram('', 'wait')
  const all = readHistogram(text, 'wait')
  // 22.5 of 45: 15 are below 0.1, and 7.5 of the 20 up to 1.
  expect(percentileBetween(none, all, 50)).toBeCloseTo(0.1 + 0.9 * (7.5 / 20))
  expect(percentileBetween(all, all, 50)).toBeNull()
  // Beyond the last bound nothing more is known than that.
  expect(percentileBetween(none, all, 99)).toBe(1)
})

import { expect, test } from 'vitest'
import { type ChartData, type Line, stacked, valuesAt } from '../../../web/ui/chart-data.ts'

const lines: Line[] = [
  { label: 'Failed', colour: 'failed', look: 'bars', above: 'Succeeded' },
  { label: 'Succeeded', colour: 'succeeded', look: 'bars' },
]
const data: ChartData = [
  [10, 70, 130],
  [2, null, 1],
  [7, 8, null],
]

test('bars that stand on others are drawn as high as both', () => {
  expect(stacked(data, lines)).toEqual([[10, 70, 130], [9, null, 1], data[2]])
})

test('what is said of bars that stand on others is their own number', () => {
  expect(valuesAt(0, data, lines, String)).toEqual(['Failed 2', 'Succeeded 7'])
  expect(valuesAt(1, data, lines, String)).toEqual(['Failed –', 'Succeeded 8'])
})

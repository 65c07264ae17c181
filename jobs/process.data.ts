/** One operation over a data set: a list of numbers or texts, or a text with one item a line. */
import { z } from 'zod'
import { defineJob, JobError } from '../core/job.ts'

type Item = number | string

const needNumbers = {
  sum: (items: number[]) => items.reduce((sum, item) => sum + item, 0),
  average: (items: number[]) => items.reduce((sum, item) => sum + item, 0) / items.length,
  min: (items: number[]) => items.reduce((least, item) => Math.min(least, item)),
  max: (items: number[]) => items.reduce((most, item) => Math.max(most, item)),
}

const takeAnything = {
  count: (items: Item[]) => items.length,
  unique: (items: Item[]) => [...new Set(items)],
  sort: (items: Item[]) => [...items].sort(ascending),
  reverse: (items: Item[]) => items.toReversed(),
}

export default defineJob({
  key: 'process.data',
  params: z.object({
    dataset: z.union([z.string().min(1), z.array(z.union([z.number(), z.string()])).min(1)]),
    operation: z.enum(['count', 'unique', 'sort', 'reverse', 'sum', 'average', 'min', 'max']),
  }),
  run({ dataset, operation }) {
    const items = typeof dataset === 'string' ? dataset.split(/\r?\n/).filter(Boolean) : dataset
    const result = isNumeric(operation)
      ? needNumbers[operation](items.map(numberOf))
      : takeAnything[operation](items)
    return { operation, items: items.length, result }
  },
})

function isNumeric(operation: string): operation is keyof typeof needNumbers {
  return operation in needNumbers
}

/** @throws JobError not_a_number, with the place of the item */
function numberOf(item: Item, index: number): number {
  const number = typeof item === 'string' && item.trim() !== '' ? Number(item) : item
  if (typeof number === 'number' && Number.isFinite(number)) return number
  throw new JobError('not_a_number', `Item ${index} is not a number: ${JSON.stringify(item)}.`, {
    retry: false,
  })
}

/** Numbers before texts. */
function ascending(a: Item, b: Item): number {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0
  return typeof a === 'number' ? -1 : 1
}

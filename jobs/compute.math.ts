/** Sums, products, Fibonacci numbers and primality, exact where JSON numbers are not. */
import { z } from 'zod'
import { defineJob } from '../core/job.ts'

const maxNumbers = 1000
const maxFibonacci = 10_000

const numbers = <Item extends z.ZodType>(item: Item) => z.array(item).min(1).max(maxNumbers)

export default defineJob({
  key: 'compute.math',
  params: z.discriminatedUnion('operation', [
    z.object({ operation: z.literal('sum'), numbers: numbers(z.number()) }),
    z.object({ operation: z.literal('product'), numbers: numbers(z.number()) }),
    z.object({ operation: z.literal('fibonacci'), numbers: numbers(z.int().min(0).max(maxFibonacci)) }),
    z.object({ operation: z.literal('prime'), numbers: numbers(z.int().min(0)) }),
  ]),
  run(params) {
    const { operation } = params
    switch (operation) {
      case 'sum':
        return { operation, result: params.numbers.reduce((sum, number) => sum + number, 0) }
      case 'product':
        return { operation, result: params.numbers.reduce((product, number) => product * number, 1) }
      case 'fibonacci':
        return { operation, result: params.numbers.map(fibonacci) }
      case 'prime':
        return { operation, result: params.numbers.map(isPrime) }
    }
  },
})

/** The n-th Fibonacci number, F(0) = 0; as text where a JSON number would lose digits. */
function fibonacci(n: number): number | string {
  let [current, next] = [0n, 1n]
  for (let i = 0; i < n; i++) [current, next] = [next, current + next]
  return current <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(current) : current.toString()
}

/** Trial division: some 0.2 s for the largest integer that a JSON number holds exactly. */
function isPrime(n: number): boolean {
  if (n < 2 || (n % 2 === 0 && n > 2)) return false
  for (let divisor = 3; divisor * divisor <= n; divisor += 2) if (n % divisor === 0) return false
  return true
}

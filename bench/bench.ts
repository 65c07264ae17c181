/** What a bench is, and how its rounds are run: the product and its peers take turns, so that both meet the same noise. */
import type { Measurement } from './measurement.ts'
import type { BenchStack } from './stack.ts'

export interface Bench {
  name: string
  /** What is measured, in one line. */
  about: string
  defaultRounds: number
  /** Beyond it the bench has failed; default 300. */
  limitSeconds?: number
  /** @throws when a job does not succeed or anything is not as the figures assume */
  run(context: BenchContext): Promise<Measurement[]>
}

export interface BenchContext {
  stack: BenchStack
  rounds: number
  /** Of the size that a bench has by default; default 1. Only those that take long look at it. */
  scale: number
  onStep(step: string): void
}

/**
 * Runs every side once a round, in an order that shifts by one each round, so that no side always comes after the
 * same other.
 * @param options.warmUp a round before the first that does not count
 * @returns what each side gave, round by round
 */
export async function interleave<Passes extends Record<string, unknown>>(
  { rounds, onStep }: Pick<BenchContext, 'rounds' | 'onStep'>,
  sides: { [Side in keyof Passes]: () => Promise<Passes[Side]> },
  options: { what: string; warmUp: boolean },
): Promise<{ [Side in keyof Passes]: Passes[Side][] }> {
  const names = Object.keys(sides) as (keyof Passes)[]
  const passes = Object.fromEntries(names.map((name) => [name, []])) as unknown as {
    [Side in keyof Passes]: Passes[Side][]
  }
  if (options.warmUp) {
    onStep(`${options.what}: warming up`)
    for (const name of names) await sides[name]()
  }
  for (let round = 0; round < rounds; round++) {
    onStep(`${options.what}: round ${round + 1} of ${rounds}`)
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length]
      if (name !== undefined) passes[name].push(await sides[name]())
    }
  }
  return passes
}

/** @returns how many of `count` things that `act` does it does in a second */
export async function perSecond(count: number, act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await act()
  return (count * 1000) / (performance.now() - startedAt)
}

/** Does `act` `count` times, by `callers` at once. */
export async function byCallers(callers: number, count: number, act: () => Promise<unknown>): Promise<void> {
  let left = count
  const call = async () => {
    while (left > 0) {
      left--
      await act()
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
}

/**
 * The time of day in milliseconds, exact to some microseconds: waits for the clock's next tick, a millisecond at most.
 * Comparable with what PostgreSQL and job processes on this machine say; `performance.now` of a process that has run
 * for long drifts away from theirs.
 */
export function timeOfDayMs(): number {
  const before = Date.now()
  let now = before
  while (now === before) now = Date.now()
  return now
}

/**
 * Calls that come while a statement is under way go together in the next one: with many callers at once a statement
 * serves them all, and who is alone waits for nobody. Nobody is answered before what answers him was committed.
 */
import { setImmediate } from 'node:timers/promises'

/** So that no statement grows without bound; larger ones are no faster by the job. */
const callsAtOnce = 500

interface Waiting<Call, Result> {
  call: Call
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/** @param run is given all calls that go together, and gives what answers each of them; what it throws, all get */
export function gather<Call, Result>(
  run: (calls: Call[]) => Promise<Result>,
): (call: Call) => Promise<Result> {
  const waiting: Waiting<Call, Result>[] = []
  let underWay = false

  async function serve(): Promise<void> {
    underWay = true
    while (waiting.length > 0) {
      // Who was just answered and asks again at once belongs to this round: without this turn of the event loop four
      // callers would go as one and three by turns.
      await setImmediate()
      const together = waiting.splice(0, callsAtOnce)
      try {
        const result = await run(together.map(({ call }) => call))
        for (const { resolve } of together) resolve(result)
      } catch (error) {
        for (const { reject } of together) reject(error)
      }
    }
    underWay = false
  }

  return (call) =>
    new Promise((resolve, reject) => {
      waiting.push({ call, resolve, reject })
      if (!underWay) void serve()
    })
}

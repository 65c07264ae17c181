/**
 * Asks the API again where it could not answer: who follows a job for hours outlives a restart of the API, a limit of
 * requests and a connection that breaks. Only what the API refuses for good ends it, and a silence of minutes.
 */
import { backoffSeconds } from '../../core/backoff.ts'
import { type Answer, bodyOf, NotNow, Refused } from './command.ts'

const giveUpAfterMinutes = 5
/** A request that is not answered by then, its body included, counts as not answered; the next has twice as long. */
const answerWithinMs = 30_000
/** However much longer the API asks for. */
const longestWaitSeconds = 60
const backoff = { baseSeconds: 1, factor: 2, maxSeconds: 5 }

/** The API did not answer for so long that nobody waits on. */
class GaveUp extends Refused {
  /** Not 1, which says that the job failed. */
  override readonly exitStatus = 3
}

/** One that changes nothing: it may be sent many times. */
type Request<Body> = (options: { init: RequestInit }) => Promise<Answer<Body>>

/** @returns what asks and gives the body of the answer; it throws Refused, GaveUp among them */
export function createPatience(): <Body>(request: Request<Body>) => Promise<Body> {
  let isSaid = false
  return async (request) => {
    const begunAt = performance.now()
    for (let attempt = 1; ; attempt++) {
      try {
        const leftMs = giveUpAfterMinutes * 60_000 - (performance.now() - begunAt)
        const withinMs = Math.max(answerWithinMs, Math.min(answerWithinMs * 2 ** (attempt - 1), leftMs))
        return await bodyOf(await request({ init: { signal: AbortSignal.timeout(withinMs) } }))
      } catch (error) {
        if (!(error instanceof NotNow)) throw error
        const askedFor = Math.min(error.retryAfterSeconds, longestWaitSeconds)
        const waitSeconds = Math.max(backoffSeconds(attempt, backoff), askedFor)
        const waitedSeconds = (performance.now() - begunAt) / 1000
        if (waitedSeconds + waitSeconds > giveUpAfterMinutes * 60) {
          const message = `${error.message} It was asked for ${giveUpAfterMinutes} minutes: how the job ends is not known.`
          throw new GaveUp(message, { cause: error })
        }
        if (!isSaid) console.error(`${error.message} It is asked again, for ${giveUpAfterMinutes} minutes.`)
        isSaid = true
        await Bun.sleep(waitSeconds * 1000)
      }
    }
  }
}

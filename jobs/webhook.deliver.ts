/**
 * Sends one message to the endpoint of a webhook. Any answer of the 2xx is success, nothing else is: a redirect is not
 * followed, as the message was signed for who was named. It is enqueued by the server alone.
 */
import { z } from 'zod'
import { reachOf } from '../core/addresses.ts'
import { defineJob, type JobContext, JobError } from '../core/job.ts'
import { type AnswerHead, guardedPost } from './http/guarded-request.ts'

const keptAnswerBytes = 1024
const longestWaitSeconds = 86_400

const Request = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  allowedHosts: z.array(z.string()),
  timeoutSeconds: z.number(),
  retryInSeconds: z.number(),
})
type Request = z.output<typeof Request>

export default defineJob({
  key: 'webhook.deliver',
  queue: 'webhooks',
  timeoutSeconds: 120,
  concurrencyKeyLimit: 2,
  memoryLimitMb: 512,
  scratchLimitMb: 1,
  runsPerProcess: 100,
  // Of attempts whose process died; after all others the wait is a part of the request.
  backoff: { baseSeconds: 60, factor: 4, maxSeconds: longestWaitSeconds },
  params: z.object({
    deliveryId: z.uuid(),
    // Signed by the worker when the attempt begins, and stored nowhere; left out when it could not be signed.
    request: Request.optional(),
  }),
  async run({ request }, context) {
    if (request === undefined) throw new JobError('no_secret', 'The worker has no WEBHOOK_SECRET to sign by.')
    const answer = await send(request, context)
    if (answer.status >= 200 && answer.status < 300) return { responseStatus: answer.status }
    throw failureOf(answer, request)
  },
})

/** An attempt that gets no answer waits like any other. */
async function send(request: Request, context: JobContext): Promise<AnswerHead> {
  const { url, body, headers, allowedHosts, timeoutSeconds, retryInSeconds } = request
  const { signal, attempt } = context
  const startedAt = performance.now()
  const limits = { signal, patienceSeconds: timeoutSeconds, mayReach: reachOf(allowedHosts) }
  try {
    const answer = await guardedPost(url, { ...limits, body, headers }, keptAnswerBytes)
    const durationSeconds = (performance.now() - startedAt) / 1000
    context.event('answered', {
      attempt,
      responseStatus: answer.status,
      responseBody: answer.text,
      durationSeconds,
    })
    return answer
  } catch (error) {
    if (!(error instanceof JobError)) throw error
    throw new JobError(error.code, error.message, { retry: error.retry, retryInSeconds, cause: error })
  }
}

function failureOf({ status, headers }: AnswerHead, { retryInSeconds }: Request): JobError {
  if (status === 410) {
    return new JobError('endpoint_gone', 'The endpoint answered 410: it is gone for good.', { retry: false })
  }
  const isRedirect = status >= 300 && status < 400
  const message = `The endpoint answered ${status}${isRedirect ? '; redirects are not followed' : ''}.`
  const asked = [429, 503].includes(status) ? secondsOf(headers['retry-after'], headers.date) : 0
  return new JobError('endpoint_failed', message, {
    retryInSeconds: Math.max(retryInSeconds, Math.min(asked, longestWaitSeconds)),
  })
}

/** Of a Retry-After: seconds, or a time by the endpoint's own clock (RFC 9110, 10.2.3). 0 for what is neither. */
function secondsOf(retryAfter: string | undefined, date: string | undefined): number {
  if (retryAfter === undefined) return 0
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter)
  const seconds = (Date.parse(retryAfter) - (Date.parse(date ?? '') || Date.now())) / 1000
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : 0
}

/** One HTTP request to a public address. An answer of any status is a result, unless the server says "later". */
import { z } from 'zod'
import { reachOf } from '../core/addresses.ts'
import { defineJob, JobError } from '../core/job.ts'
import { guardedRequest } from './http/guarded-request.ts'

/** The server's trouble or haste: another attempt may fare better. */
const worthRetrying = new Set([408, 425, 429, 500, 502, 503, 504])

export default defineJob({
  key: 'call.api',
  timeoutSeconds: 120,
  params: z.object({
    endpoint: z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' }),
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']).default('GET'),
    payload: z.json().optional(),
  }),
  async run({ endpoint, method, payload }, { signal, limits, trace }) {
    const answer = await guardedRequest(endpoint, {
      method,
      signal,
      mayReach: reachOf(limits.allowedHosts),
      headers: { ...trace },
      ...(payload === undefined ? {} : { json: payload }),
    })
    if (worthRetrying.has(answer.status)) {
      throw new JobError('upstream_failed', `The endpoint answered ${answer.status}.`)
    }
    return { status: answer.status, contentType: answer.contentType, body: bodyOf(answer) }
  },
})

function bodyOf({ contentType, text }: { contentType: string | null; text: string }) {
  if (!/[/+]json\b/.test(contentType ?? '')) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

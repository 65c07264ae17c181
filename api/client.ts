/**
 * A client of the HTTP API, typed by the API itself:
 *
 *   import { createApiClient } from 'job-server/api-client'
 *
 *   const api = createApiClient('https://jobs.example', { apiKey: process.env.JOB_SERVER_API_KEY })
 *   const response = await api.v1.jobs.$post({ json: { definitionKey: 'echo' } })
 *   if (response.ok) console.log((await response.json()).jobId)
 *
 * Answers are `Response`s; a failure has a body of problem details (RFC 9457) with a stable `code`.
 */
import { hc } from 'hono/client'
import type { App } from './app.ts'

export function createApiClient(
  baseUrl: string,
  { apiKey, fetch }: { apiKey?: string | undefined; fetch?: typeof globalThis.fetch } = {},
) {
  return hc<App>(baseUrl, {
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
    ...(fetch === undefined ? {} : { fetch }),
  })
}

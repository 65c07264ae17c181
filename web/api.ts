/** The API as the views use it: the typed client, with this tab's key, and failures as `ApiProblem`. */
import { createApiClient } from '../api/client.ts'
import { noteServerTime } from './server-clock.ts'
import { keyInUse, refuse } from './session.ts'

/** What the API said went wrong, or that it could not be reached. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  constructor(
    message: string,
    readonly status: number | null,
    readonly code: string,
    readonly details: { path: string; message: string }[] = [],
    /** After which it may be tried again, where the answer says so. */
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message)
  }
}

export const api = createApiClient(location.origin, { fetch: sendSigned as typeof fetch })

/** A request with this tab's key. @throws ApiProblem when no answer comes */
export async function sendSigned(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const apiKey = keyInUse()
  const headers = new Headers(init.headers)
  if (apiKey !== null) headers.set('authorization', `Bearer ${apiKey}`)
  const sentAt = Date.now()
  const response = await fetch(input, { ...init, headers }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiProblem('The server can’t be reached.', null, 'unreachable')
  })
  noteServerTime(response, sentAt)
  if (response.status === 401) refuse(apiKey)
  return response
}

type Answer<Sent> = Sent extends { json(): Promise<infer Body> } ? Body : never

interface Refusal {
  status: number
  headers: Pick<Headers, 'get'>
}

interface Answered extends Refusal {
  ok: boolean
  text(): Promise<string>
}

/** The body of an answer. @throws ApiProblem */
export async function read<Sent extends Answered>(request: Promise<Sent>): Promise<Answer<Sent>> {
  const response = await request
  const text = await response.text()
  if (!response.ok) throw problemOf(text, response)
  return (text === '' ? null : JSON.parse(text)) as Answer<Sent>
}

export function problemOf(text: string, { status, headers }: Refusal): ApiProblem {
  const retryAfter = retryAfterSeconds(headers.get('retry-after'))
  try {
    const { detail, code, details } = JSON.parse(text)
    if (typeof detail === 'string') return new ApiProblem(detail, status, String(code), details, retryAfter)
  } catch {
    // Not ours: a proxy's page, for example.
  }
  return new ApiProblem(`The server answered with status ${status}.`, status, 'unexpected', [], retryAfter)
}

/** Our API says it in seconds; a proxy may say it as a date, which depends on this machine's clock and counts as none. */
function retryAfterSeconds(header: string | null): number | null {
  return header !== null && /^\d+$/.test(header) ? Number(header) : null
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * Failures as problem details (RFC 9457): the only file that knows which status a failure has. What is not
 * known here answers 500 with the request id and nothing else; SQL, paths and stacks stay in the log.
 */
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { isInUse } from '../core/db.ts'
import { DomainError, InvalidParams, InvalidSchedule, InvalidWebhook } from '../core/errors.ts'
import type { ApiEnv } from './app.ts'

export const statusOfCode = {
  bad_request: 400,
  malformed_body: 400,
  invalid_request: 400,
  invalid_params: 400,
  only_as_child: 400,
  invalid_media: 400,
  invalid_schedule: 400,
  invalid_webhook: 400,
  video_missing: 400,
  encoder_missing: 400,
  job_already_finished: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  definition_not_found: 404,
  job_not_found: 404,
  dead_letter_not_found: 404,
  key_not_found: 404,
  schedule_not_found: 404,
  webhook_not_found: 404,
  delivery_not_found: 404,
  upload_not_found: 404,
  source_not_found: 404,
  output_not_ready: 404,
  method_not_allowed: 405,
  definition_in_use: 409,
  idempotency_conflict: 409,
  dependency_failed: 409,
  job_not_in_status: 409,
  job_in_use: 409,
  schedule_name_taken: 409,
  schedule_defined_in_code: 409,
  schedule_overlaps: 409,
  webhook_disabled: 409,
  upload_not_usable: 409,
  upload_incomplete: 409,
  trim_differs: 409,
  source_gone: 410,
  body_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  rate_limited: 429,
  internal_error: 500,
  storage_unavailable: 503,
  not_ready: 503,
  busy: 503,
} as const

export type ProblemCode = keyof typeof statusOfCode

export interface ProblemDetail {
  path: string
  message: string
}

/** Something is wrong with the request itself, or with what it asks for, that core has no word for. */
export class RequestProblem extends Error {
  override readonly name = 'RequestProblem'
  readonly headers: Record<string, string>
  /** @param options.headers of the answer, beside those that every problem has */
  constructor(
    readonly code: ProblemCode,
    message: string,
    readonly details: ProblemDetail[] = [],
    { headers = {}, ...options }: ErrorOptions & { headers?: Record<string, string> } = {},
  ) {
    super(message, options)
    this.headers = headers
  }
}

/** For `app.onError`. */
export function answerProblem(error: Error, c: Context<ApiEnv>): Response {
  const problem = describe(error)
  if (problem.code === 'busy') c.var.log.warn({ err: error }, 'request.refused')
  else if (statusOfCode[problem.code] >= 500) c.var.log.error({ err: error }, 'request.failed')
  return problemResponse(c, problem)
}

interface Problem {
  code: ProblemCode
  detail: string
  details: ProblemDetail[]
  headers?: Record<string, string>
}

function describe(error: Error): Problem {
  if (error instanceof RequestProblem) {
    return { code: error.code, detail: error.message, details: error.details, headers: error.headers }
  }
  if (error instanceof DomainError && isProblemCode(error.code)) {
    return { code: error.code, detail: error.message, details: issuesOf(error) }
  }
  // Hono's own, for what its validators and middleware refuse.
  if (error instanceof HTTPException && error.status < 500) {
    const code = ({ 403: 'forbidden', 413: 'body_too_large' } as const)[error.status as number]
    return { code: code ?? 'bad_request', detail: error.message || 'The request was refused.', details: [] }
  }
  if (isInUse(error)) {
    const detail = 'Something else holds what this request needs. Try again in 1 s.'
    return { code: 'busy', detail, details: [], headers: { 'retry-after': '1' } }
  }
  return {
    code: 'internal_error',
    detail: 'Something went wrong on our side. The request id finds it in the log.',
    details: [],
  }
}

function problemResponse(c: Context<ApiEnv>, { code, detail, details, headers }: Problem): Response {
  const status = statusOfCode[code]
  const title = code.replaceAll('_', ' ').replace(/^./, (letter) => letter.toUpperCase())
  return c.json(
    {
      type: `urn:job-server:problem:${code}`,
      title,
      status,
      detail,
      instance: c.req.path,
      code,
      error: detail,
      requestId: c.var.requestId,
      ...(details.length > 0 ? { details } : {}),
    },
    status,
    {
      ...headers,
      'content-type': 'application/problem+json',
      // The rest of such a body is not read, so nothing else can follow it on the connection.
      ...(code === 'body_too_large' ? { connection: 'close' } : {}),
    },
  )
}

function issuesOf(error: DomainError): ProblemDetail[] {
  const hasIssues =
    error instanceof InvalidParams || error instanceof InvalidSchedule || error instanceof InvalidWebhook
  return hasIssues ? error.issues : []
}

function isProblemCode(code: string): code is ProblemCode {
  return code in statusOfCode
}

/**
 * Requests to addresses that a user gave. What they may reach is decided at connect time: the name is resolved
 * once, every address it has is checked, and the connection goes to exactly those, so a name that answers
 * differently a second time gains nothing. Redirects are followed by hand and checked like the first request.
 */
import { lookup as resolve } from 'node:dns/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPublicAddress, type Reach } from '../../core/addresses.ts'
import { JobError, type Json } from '../../core/job.ts'

const maxRedirects = 5
const maxAnswerBytes = 1024 ** 2
/** After the head of an answer, for the first bytes of its body. */
const bodyPatienceMs = 1000

export interface GuardedRequest extends Limits {
  method: string
  json?: Json
  headers?: Record<string, string>
}

export interface Limits {
  signal?: AbortSignal
  /** For one request and its answer, default 30; null: without end. */
  patienceSeconds?: number | null
  /** Which addresses may be connected to; public ones by default. */
  mayReach?: Reach
}

export interface Answer {
  status: number
  contentType: string | null
  text: string
}

/** What comes first of an answer, whatever follows. */
export interface AnswerHead {
  status: number
  headers: IncomingMessage['headers']
  /** The first bytes of its body. */
  text: string
}

/** @throws JobError address_not_allowed, too_many_redirects, answer_too_large (no retry), unreachable */
export async function guardedRequest(url: string, request: GuardedRequest): Promise<Answer> {
  let { method, json } = request
  const { status, headers, text } = await following(
    url,
    async (target) => {
      const body = json === undefined ? undefined : JSON.stringify(json)
      return await send(target, { ...request, method, body }, readAnswer)
    },
    (redirect) => {
      // As browsers do: only 307 and 308 repeat the request as it was (RFC 9110, 15.4).
      if (redirect === 303 || (redirect < 303 && method === 'POST')) {
        method = 'GET'
        json = undefined
      }
    },
  )
  return { status, contentType: headers['content-type'] ?? null, text }
}

/**
 * Asks where it is sent to, until an answer is none that sends elsewhere.
 * @param onRedirect gets the status of each redirect before it is followed
 * @throws JobError too_many_redirects
 */
export async function following<Answer extends Pick<AnswerHead, 'status' | 'headers'>>(
  url: string,
  ask: (target: URL) => Promise<Answer>,
  onRedirect: (status: number) => void = () => {},
): Promise<Answer> {
  let target = new URL(url)
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const answer = await ask(target)
    const { location } = answer.headers
    if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer
    target = new URL(location, target)
    onRedirect(answer.status)
  }
  throw refusal('too_many_redirects', `The endpoint redirects more than ${maxRedirects} times.`)
}

/**
 * Sends JSON as it is, to the byte. Of the answer only its head counts: redirects are not followed, and what comes after
 * the first bytes, or too late, is left unread.
 * @param bytes of the answer's body that are kept
 * @throws JobError address_not_allowed (no retry), unreachable
 */
export async function guardedPost(
  url: string,
  request: Limits & { body: string; headers: Record<string, string> },
  bytes: number,
): Promise<AnswerHead> {
  let head: Promise<AnswerHead> | undefined
  try {
    return await send(new URL(url), { ...request, method: 'POST' }, (response) => {
      head = readHead(response, bytes)
      return head
    })
  } catch (error) {
    // The connection broke, or the time was over, when the head had come.
    if (head !== undefined) return await head
    throw error
  }
}

interface Outgoing extends Limits {
  method: string
  body?: string | undefined
  headers?: Record<string, string>
}

/** @throws JobError address_not_allowed (no retry), unreachable, and what `read` throws */
export function send<Result>(
  target: URL,
  { method, body, headers, signal, patienceSeconds = 30, mayReach = isPublicAddress }: Outgoing,
  read: (response: IncomingMessage) => Promise<Result>,
): Promise<Result> {
  const client = { 'http:': http, 'https:': https }[target.protocol]
  if (client === undefined) {
    throw refusal('address_not_allowed', `Only http and https are called, not ${target.protocol}//.`)
  }
  const host = target.hostname.replace(/^\[|\]$/g, '')
  // A literal address is never looked up.
  if (isIP(host) !== 0 && !mayReach(host, host)) throw notAllowed(target.hostname)
  return new Promise<Result>((settle, reject) => {
    const request = client.request(
      target,
      {
        method,
        lookup: guardedLookup(mayReach),
        signal: AbortSignal.any([
          ...(patienceSeconds === null ? [] : [AbortSignal.timeout(patienceSeconds * 1000)]),
          ...(signal === undefined ? [] : [signal]),
        ]),
        headers: {
          ...headers,
          accept: 'application/json, text/*;q=0.9, */*;q=0.1',
          'user-agent': 'job-server',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (response) => read(response).then(settle, reject),
    )
    request.on('error', (cause) => reject(cause instanceof JobError ? cause : unreachable(target, cause)))
    request.end(body)
  })
}

async function readAnswer(response: IncomingMessage): Promise<AnswerHead> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response) {
    sizeBytes += chunk.length
    if (sizeBytes > maxAnswerBytes) {
      response.destroy()
      throw refusal('answer_too_large', `The answer has more than ${maxAnswerBytes} bytes.`)
    }
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

/** Listens rather than iterates: it must end when its time is over, whatever became of the connection. */
async function readHead(response: IncomingMessage, bytes: number): Promise<AnswerHead> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  await new Promise<void>((settle) => {
    const patience = setTimeout(settle, bodyPatienceMs)
    const enough = () => {
      clearTimeout(patience)
      settle()
    }
    response.on('data', (chunk: Buffer) => {
      if (sizeBytes < bytes) chunks.push(chunk)
      sizeBytes += chunk.length
      if (sizeBytes >= bytes) enough()
    })
    // The status has come: a body that breaks off changes nothing.
    for (const end of ['end', 'close', 'error']) response.on(end, enough)
  })
  response.destroy()
  const text = Buffer.concat(chunks).subarray(0, bytes).toString('utf8')
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

function guardedLookup(mayReach: Reach): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, { all: true, family: options.family ?? 0 }).then(
      (addresses) => {
        const [first] = addresses
        if (first === undefined || !addresses.every(({ address }) => mayReach(address, hostname))) {
          done(notAllowed(hostname), '')
        } else if (options.all) done(null, addresses)
        else done(null, first.address, first.family)
      },
      (error) => done(error, ''),
    )
  }
}

function notAllowed(host: string): JobError {
  return refusal('address_not_allowed', `${host} is not a public address.`)
}

function unreachable(target: URL, cause: Error): JobError {
  return new JobError('unreachable', `${target.host} could not be reached: ${cause.message}`, { cause })
}

export function refusal(code: string, message: string): JobError {
  return new JobError(code, message, { retry: false })
}

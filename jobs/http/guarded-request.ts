/**
 * Requests to addresses that a user gave. What they may reach is decided at connect time: the name is resolved
 * once, every address it has is checked, and the connection goes to exactly those, so a name that answers
 * differently a second time gains nothing. Redirects are followed by hand and checked like the first request.
 */
import { lookup as resolve } from 'node:dns/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { JobError, type Json } from '../../core/job.ts'

const maxRedirects = 5
const maxAnswerBytes = 1024 ** 2
const patienceMs = 30_000

export interface GuardedRequest {
  method: string
  json?: Json
  signal?: AbortSignal
  /** Which addresses may be connected to; public ones by default. */
  mayReach?: (address: string) => boolean
}

export interface Answer {
  status: number
  contentType: string | null
  text: string
}

/** @throws JobError address_not_allowed, too_many_redirects, answer_too_large (no retry), unreachable */
export async function guardedRequest(url: string, request: GuardedRequest): Promise<Answer> {
  let target = new URL(url)
  let { method, json } = request
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const answer = await send(target, { ...request, method, json })
    const location = answer.headers.location
    if (answer.status < 300 || answer.status >= 400 || location === undefined) {
      return { status: answer.status, contentType: answer.headers['content-type'] ?? null, text: answer.text }
    }
    target = new URL(location, target)
    // As browsers do: only 307 and 308 repeat the request as it was (RFC 9110, 15.4).
    if (answer.status === 303 || (answer.status < 303 && method === 'POST')) {
      method = 'GET'
      json = undefined
    }
  }
  throw refusal('too_many_redirects', `The endpoint redirects more than ${maxRedirects} times.`)
}

/** Unicast addresses of the public internet, IPv4 inside IPv6 seen through. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast'
}

type Received = { status: number; headers: IncomingMessage['headers']; text: string }

function send(target: URL, { method, json, signal, mayReach = isPublicAddress }: GuardedRequest) {
  const client = { 'http:': http, 'https:': https }[target.protocol]
  if (client === undefined) {
    throw refusal('address_not_allowed', `Only http and https are called, not ${target.protocol}//.`)
  }
  const host = target.hostname.replace(/^\[|\]$/g, '')
  // A literal address is never looked up.
  if (isIP(host) !== 0 && !mayReach(host)) throw notAllowed(target.hostname)
  const body = json === undefined ? undefined : JSON.stringify(json)
  return new Promise<Received>((settle, reject) => {
    const request = client.request(
      target,
      {
        method,
        lookup: guardedLookup(mayReach),
        signal: AbortSignal.any([AbortSignal.timeout(patienceMs), ...(signal === undefined ? [] : [signal])]),
        headers: {
          accept: 'application/json, text/*;q=0.9, */*;q=0.1',
          'user-agent': 'job-server',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      },
      (response) => readAnswer(response).then(settle, reject),
    )
    request.on('error', (cause) => reject(cause instanceof JobError ? cause : unreachable(target, cause)))
    request.end(body)
  })
}

async function readAnswer(response: IncomingMessage): Promise<Received> {
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

function guardedLookup(mayReach: (address: string) => boolean): LookupFunction {
  return (hostname, options, done) => {
    resolve(hostname, { all: true, family: options.family ?? 0 }).then(
      (addresses) => {
        const [first] = addresses
        if (first === undefined || !addresses.every(({ address }) => mayReach(address))) {
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

function refusal(code: string, message: string): JobError {
  return new JobError(code, message, { retry: false })
}

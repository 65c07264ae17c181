/**
 * Refuses addresses that no webhook could be sent to. What a name leads to is decided when a connection is made; here
 * it would only be known for now.
 */
import { isIP } from 'node:net'
import { reachOf } from '../addresses.ts'
import type { Config } from '../config.ts'
import { InvalidWebhook } from '../errors.ts'

/** @throws InvalidWebhook */
export function checkUrl(
  url: string,
  { path, allowedHosts }: { path: string; allowedHosts: string[] },
): void {
  const problem = problemOf(url, allowedHosts)
  if (problem !== null) throw new InvalidWebhook([{ path, message: problem }])
}

/** Of an address that a job brings, at `path` of the request. @throws InvalidWebhook */
export function checkJobWebhook(
  url: string,
  path: string,
  config: Pick<Config, 'WEBHOOK_SECRET' | 'WEBHOOK_ALLOWED_HOSTS'>,
): void {
  if (config.WEBHOOK_SECRET === undefined) {
    const message = 'no job may bring one here: the server has no WEBHOOK_SECRET to sign by'
    throw new InvalidWebhook([{ path, message }])
  }
  checkUrl(url, { path, allowedHosts: config.WEBHOOK_ALLOWED_HOSTS })
}

function problemOf(text: string, allowedHosts: string[]): string | null {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return 'expected an http:// or https:// URL'
  }
  if (url.username !== '' || url.password !== '') {
    return 'expected a URL without user name and password; requests are signed instead'
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const mayReach = reachOf(allowedHosts)
  // A name of this machine by definition (RFC 6761, 6.3).
  const isLocalName = /(^|\.)localhost\.?$/i.test(host)
  if (isIP(host) === 0 && !isLocalName) return null
  return mayReach(isLocalName ? '127.0.0.1' : host, host)
    ? null
    : `${url.hostname} is not a public address, nor one that WEBHOOK_ALLOWED_HOSTS allows`
}

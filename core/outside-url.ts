/** URLs that users give for us to call: what is refused before anybody calls them. */
import { isIP } from 'node:net'
import { reachOf } from './addresses.ts'

export function isWebUrl(text: string): boolean {
  return ['http:', 'https:'].includes(URL.parse(text)?.protocol ?? '')
}

/**
 * What a name leads to is decided when a connection is made; here it would only be known for now.
 * @param allowed what may be reached though it is not public, and the setting that says so
 * @returns what is wrong with it, or null
 */
export function problemOfUrl(
  text: string,
  allowed: { hosts: readonly string[]; setting: string },
): string | null {
  const url = URL.parse(text)
  if (url === null || !isWebUrl(text)) return 'expected an http:// or https:// URL'
  if (url.username !== '' || url.password !== '') return 'expected a URL without user name and password'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  // A name of this machine by definition (RFC 6761, 6.3).
  const isLocalName = /(^|\.)localhost\.?$/i.test(host)
  if (isIP(host) === 0 && !isLocalName) return null
  return reachOf(allowed.hosts)(isLocalName ? '127.0.0.1' : host, host)
    ? null
    : `${url.hostname} is not a public address, nor one that ${allowed.setting} allows`
}

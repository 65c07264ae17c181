/**
 * The concurrency keys of our own jobs: a part of all keys that clients can't name. Use of a key is counted over all
 * definitions, and a client's jobs under the key of an endpoint would stop what is sent there.
 */

const ownPrefix = 'job-server:'
/** Of a key, in characters. */
const longestKey = 255

/** Cut off where it is too long. */
export function ownKey(text: string): string {
  return `${ownPrefix}${text}`.slice(0, longestKey)
}

/** @returns a sentence about a key that a client may not name */
export function problemOfKey(key: string): string | null {
  return key.startsWith(ownPrefix) ? `Keys that begin with "${ownPrefix}" are the server's own.` : null
}

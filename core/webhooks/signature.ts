/**
 * Secrets and signatures of the Standard Webhooks scheme, symmetric (`v1`): HMAC-SHA256 over `id.timestamp.body`.
 * See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
 */
import { createHmac, randomBytes } from 'node:crypto'

const mark = 'whsec_'

/** 256 random bits. */
export function newSecret(): string {
  return mark + randomBytes(32).toString('base64')
}

/** Whether it is `whsec_` and the base64 of 24 to 64 bytes. */
export function isSecret(text: string): boolean {
  const encoded = text.slice(mark.length)
  const key = Buffer.from(encoded, 'base64')
  return (
    text.startsWith(mark) &&
    key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '') &&
    key.length >= 24 &&
    key.length <= 64
  )
}

export interface Message {
  /** Without a dot; the same in every attempt. */
  id: string
  /** Of the attempt, in seconds since 1970. */
  timestamp: number
  body: string
}

/** The headers of an attempt, with a signature by each of the secrets. */
export function signedHeaders({ id, timestamp, body }: Message, secrets: string[]): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(mark.length), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  }
}

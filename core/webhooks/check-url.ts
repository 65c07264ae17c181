/** Refuses addresses that no webhook could be sent to. */
import type { Config } from '../config.ts'
import { InvalidWebhook } from '../errors.ts'
import { problemOfUrl } from '../outside-url.ts'

/** @throws InvalidWebhook */
export function checkUrl(
  url: string,
  { path, allowedHosts }: { path: string; allowedHosts: string[] },
): void {
  const problem = problemOfUrl(url, { hosts: allowedHosts, setting: 'WEBHOOK_ALLOWED_HOSTS' })
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

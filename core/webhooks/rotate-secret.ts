/** Gives a webhook a new secret. */
import type { Pool } from '../db.ts'
import { WebhookNotFound } from '../errors.ts'
import { newSecret } from './signature.ts'

/**
 * Those of before go on signing beside the new one for a while, so that receivers can change over.
 * @returns the secret, which nobody can read again
 * @throws WebhookNotFound
 */
export async function rotateSecret(
  sql: Pool,
  webhookId: string,
  { overlapSeconds }: { overlapSeconds: number },
): Promise<string> {
  const secret = newSecret()
  return await sql.begin(async (tx) => {
    // The lock makes two who rotate at once take turns.
    const [webhook] = await tx`select from job_server.webhooks where id = ${webhookId} for update`
    if (webhook === undefined) throw new WebhookNotFound(webhookId)
    // webhook_secrets_webhook_idx
    await tx`delete from job_server.webhook_secrets where webhook_id = ${webhookId} and expires_at <= now()`
    await tx`
      update job_server.webhook_secrets set
        expires_at = least(expires_at, now() + make_interval(secs => ${overlapSeconds}))
      where webhook_id = ${webhookId}`
    await tx`insert into job_server.webhook_secrets (webhook_id, secret) values (${webhookId}, ${secret})`
    return secret
  })
}

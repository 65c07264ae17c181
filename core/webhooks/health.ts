/**
 * What the ends of deliveries mean to their webhooks: one that succeeds forgives all before it; one that fails counts;
 * an endpoint that says that it is gone, or that has failed for too long, is disabled.
 */
import type { Sql } from '../db.ts'
import { groupsOf } from '../groups.ts'
import { jsonParameter } from '../queue/row.ts'

/** So many attempts in a row must have failed: a webhook that is seldom used is not judged by one of them. */
const leastFailures = 10

/** How an attempt went. */
export interface Outcome {
  webhookId: string
  at: Date
  succeeded: boolean
  /** The endpoint answered that it is gone for good. */
  gone: boolean
}

/**
 * @param outcomes oldest first
 * @returns ids of the webhooks that were disabled
 */
export async function noteOutcomes(
  tx: Sql,
  outcomes: Outcome[],
  { disableAfterSeconds }: { disableAfterSeconds: number },
): Promise<string[]> {
  if (outcomes.length === 0) return []
  const byWebhook = groupsOf(outcomes, ({ webhookId }) => webhookId)
  const rows = [...byWebhook].map(([id, ofOne]) => ({ id, ...summaryOf(ofOne) }))
  const disabled = await tx<{ id: string }[]>`
    with noted as (
      update job_server.webhooks set
        failures = case when "successAt" is null then webhooks.failures else 0 end + given.failures,
        failing_since = case when "successAt" is null then coalesce(failing_since, "failingSince") else "failingSince" end,
        last_success_at = greatest(last_success_at, "successAt")
      from jsonb_to_recordset(${tx.json(jsonParameter(rows))}) as given (
        id uuid, gone boolean, "successAt" timestamptz, failures int, "failingSince" timestamptz
      )
      where webhooks.id = given.id and enabled
      returning webhooks.id, gone, webhooks.failures, failing_since
    )
    select id, gone from noted
    where gone or (
      failures >= ${leastFailures} and failing_since < now() - make_interval(secs => ${disableAfterSeconds})
    )`
  for (const { id } of disabled) {
    const reason = rows.find((row) => row.id === id)?.gone ? 'gone' : 'failing'
    await tx`
      update job_server.webhooks set
        enabled = false, disabled_at = now(), disabled_reason = ${reason}, updated_at = now()
      where id = ${id}`
  }
  return disabled.map(({ id }) => id)
}

function summaryOf(outcomes: Outcome[]) {
  const last = outcomes.findLastIndex(({ succeeded }) => succeeded)
  const failed = outcomes.slice(last + 1)
  return {
    gone: outcomes.some(({ gone }) => gone),
    successAt: outcomes[last]?.at.toISOString() ?? null,
    failures: failed.length,
    failingSince: failed[0]?.at.toISOString() ?? null,
  }
}

/**
 * The states of a job: stated once, used by SQL mapping, API schemas and tests.
 *
 *   scheduled ──due──► ready ──claim──► running ──finish──► succeeded | failed | cancelled
 *       ▲                                  │
 *       └────────── retry, snooze ─────────┘         (cancel: ready/scheduled → cancelled at once,
 *                                                     running → cancelling → cancelled)
 *
 * Clients know `scheduled` and `ready` as `queued`, and `running` with a cancel request as `cancelling`.
 */
export const jobStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelling', 'cancelled'] as const
export type JobStatus = (typeof jobStatuses)[number]

const finalStatuses = ['succeeded', 'failed', 'cancelled'] as const
export type FinalStatus = (typeof finalStatuses)[number]

export function isFinal(status: JobStatus): status is FinalStatus {
  return (finalStatuses as readonly JobStatus[]).includes(status)
}

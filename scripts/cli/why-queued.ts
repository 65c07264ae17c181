/** Why a job stays queued, as a sentence of the command line. */
import type { InferResponseType } from 'hono/client'
import type { Api } from './command.ts'
import { ago } from './table.ts'

type Job = InferResponseType<Api['v1']['jobs'][':jobId']['$get'], 200>

const shownJobs = 5

/** @returns null when nothing keeps it from running any more */
export function whyQueued({
  queue,
  scheduledAt,
  waitsFor,
}: Pick<Job, 'queue' | 'scheduledAt' | 'waitsFor'>): string | null {
  switch (waitsFor?.reason) {
    case undefined:
      return null
    case 'time':
      return `it is due ${ago(scheduledAt)}, at ${scheduledAt}`
    case 'dependencies':
      return `it waits until others have ended: ${named(waitsFor.jobIds)}`
    case 'children':
      return `it waits for its children: ${named(waitsFor.jobIds)}`
    case 'paused_queue':
      return `its queue "${queue}" is paused; \`bun run jobs queues resume ${queue}\` lets its jobs go on`
    case 'concurrency_key':
      return `it waits for others of the key "${waitsFor.concurrencyKey}"`
    case 'no_worker':
      return `no worker serves its queue "${queue}" and its definition`
    case 'limit':
      return 'it waits for the limit of its definition'
    case 'slot':
      return 'it waits for a free slot'
  }
}

function named(jobIds: string[]): string {
  const more = jobIds.length > shownJobs ? ` and ${jobIds.length - shownJobs} more` : ''
  return `${jobIds.slice(0, shownJobs).join(', ')}${more}`
}

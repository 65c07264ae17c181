/** Follows a job: events and log lines in the order of their times, until it has ended. */
import type { Api, Printer } from './command.ts'
import { createPatience } from './patience.ts'
import { whyQueued } from './why-queued.ts'

const lookEveryMs = 300
/** Events, and lines of the log. */
const atOnce = 1000
/** So long a job may wait for a worker to look before it is said why. */
const quietMs = 3000
const final = ['succeeded', 'failed', 'cancelled']

interface Line {
  at: string
  text: string
  whole: unknown
}

/**
 * For programs the last line is the job as it ended.
 * @returns the exit status: 0 when the job succeeded
 * @throws GaveUp where the API does not answer for minutes
 */
export async function tail(api: Api, jobId: string, print: Printer): Promise<number> {
  const param = { jobId }
  const ask = createPatience()
  let lastEvents: string | undefined
  let lastLog: string | undefined
  let quietSince = Date.now()
  let isExplained = false
  for (;;) {
    // Before events and logs: what it says is final, these are whole.
    const job = await ask((options) => api.v1.jobs[':jobId'].$get({ param }, options))
    const { status, errorSummary, result } = job
    const behind = (after: string | undefined) => ({ param, query: { limit: String(atOnce), after } })
    const { events, cursor, more } = await ask((options) =>
      api.v1.jobs[':jobId'].events.$get(behind(lastEvents), options),
    )
    const { logs } = await ask((options) => api.v1.jobs[':jobId'].logs.$get(behind(lastLog), options))
    const lines: Line[] = [
      ...events.map((event) => ({ at: event.at, text: eventText(event), whole: event })),
      ...logs.map((entry) => ({ at: entry.at, text: `  ${logText(entry)}`, whole: entry })),
    ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    lastEvents = cursor
    lastLog = logs.at(-1)?.id ?? lastLog
    for (const { at, text, whole } of lines) print.answer(whole, () => [`${at.slice(11, 23)}  ${text}`])
    // There may be more of them.
    if (more || logs.length === atOnce) continue
    if (final.includes(status)) {
      print.answer(job, () => [
        status === 'succeeded' ? `succeeded  ${JSON.stringify(result)}` : `${status}  ${errorSummary ?? ''}`,
      ])
      return status === 'succeeded' ? 0 : 1
    }
    if (lines.length > 0) {
      quietSince = Date.now()
      isExplained = false
    } else if (!isExplained && Date.now() - quietSince > quietMs) {
      const reason = whyQueued(job)
      if (reason !== null) print.note(`${status}  ${reason}`)
      isExplained = reason !== null
    }
    await Bun.sleep(lookEveryMs)
  }
}

function eventText({ eventType, payload }: { eventType: string; payload: object }): string {
  return Object.keys(payload).length === 0 ? eventType : `${eventType}  ${JSON.stringify(payload)}`
}

function logText({ text, fields }: { text: string; fields: object | null }): string {
  return fields === null ? text : `${text}  ${JSON.stringify(fields)}`
}

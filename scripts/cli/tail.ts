/** Follows a job: events and log lines in the order of their times, until it has ended. */
import { type Api, bodyOf, type Printer } from './command.ts'
import { whyQueued } from './why-queued.ts'

const lookEveryMs = 300
const logsAtOnce = 1000
/** So long a job may wait for a worker to look before it is said why. */
const quietMs = 3000
const final = ['succeeded', 'failed', 'cancelled']

interface Line {
  at: string
  text: string
  whole: unknown
}

/** @returns the exit status: 0 when the job succeeded */
export async function tail(api: Api, jobId: string, print: Printer): Promise<number> {
  const param = { jobId }
  let seenEvents = 0
  let lastLog: string | undefined
  let quietSince = Date.now()
  let isExplained = false
  for (;;) {
    // Before events and logs: what it says is final, these are whole.
    const job = await bodyOf(await api.v1.jobs[':jobId'].$get({ param }))
    const { status, errorSummary, result } = job
    const { events } = await bodyOf(await api.v1.jobs[':jobId'].events.$get({ param, query: {} }))
    const query = { limit: String(logsAtOnce), ...(lastLog === undefined ? {} : { after: lastLog }) }
    const { logs } = await bodyOf(await api.v1.jobs[':jobId'].logs.$get({ param, query }))
    const lines: Line[] = [
      ...events.slice(seenEvents).map((event) => ({ at: event.at, text: eventText(event), whole: event })),
      ...logs.map((entry) => ({ at: entry.at, text: `  ${logText(entry)}`, whole: entry })),
    ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    seenEvents = events.length
    lastLog = logs.at(-1)?.id ?? lastLog
    for (const { at, text, whole } of lines) print.answer(whole, () => [`${at.slice(11, 23)}  ${text}`])
    // There may be more of them.
    if (logs.length === logsAtOnce) continue
    if (final.includes(status)) {
      print.note(
        status === 'succeeded' ? `succeeded  ${JSON.stringify(result)}` : `${status}  ${errorSummary ?? ''}`,
      )
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

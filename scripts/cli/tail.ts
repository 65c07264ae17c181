/** Follows a job: events and log lines in the order of their times, until it has ended. */
import { type Api, bodyOf, type Printer } from './command.ts'

const lookEveryMs = 300
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
  for (;;) {
    // Before events and logs: what it says is final, these are whole.
    const { status, errorSummary, result } = await bodyOf(await api.v1.jobs[':jobId'].$get({ param }))
    const { events } = await bodyOf(await api.v1.jobs[':jobId'].events.$get({ param, query: {} }))
    const query = lastLog === undefined ? {} : { after: lastLog }
    const { logs } = await bodyOf(await api.v1.jobs[':jobId'].logs.$get({ param, query }))
    const lines: Line[] = [
      ...events.slice(seenEvents).map((event) => ({ at: event.at, text: eventText(event), whole: event })),
      ...logs.map((entry) => ({ at: entry.at, text: `  ${entry.text}`, whole: entry })),
    ].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    seenEvents = events.length
    lastLog = logs.at(-1)?.id ?? lastLog
    for (const { at, text, whole } of lines) print.answer(whole, () => [`${at.slice(11, 23)}  ${text}`])
    if (final.includes(status)) {
      print.note(
        status === 'succeeded' ? `succeeded  ${JSON.stringify(result)}` : `${status}  ${errorSummary ?? ''}`,
      )
      return status === 'succeeded' ? 0 : 1
    }
    await Bun.sleep(lookEveryMs)
  }
}

function eventText({ eventType, payload }: { eventType: string; payload: object }): string {
  return Object.keys(payload).length === 0 ? eventType : `${eventType}  ${JSON.stringify(payload)}`
}

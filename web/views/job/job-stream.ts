/** What happened to a job and what it wrote, from its first event on and live while it lives. */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { openEventStream, type StreamEvent, type StreamState } from '../../live/event-stream.ts'
import { openRefresh } from '../../live/refresh.ts'

/** A job may write for days; the last so many are kept. */
const keptLines = 2000
const keptEvents = 1000
const batchMs = 150
const refreshMs = 400

interface LogLine {
  id: string
  at: string
  stream: string
  level: string | null
  text: string
  fields: Record<string, unknown> | null
}

export interface JobStream {
  events: StreamEvent[]
  lines: LogLine[]
  /** Of the newest event of the kind. */
  progress: Record<string, unknown> | null
  /** Lines that are no longer kept here. */
  droppedLines: number
  state: StreamState | 'over'
  /** All that there was has been told: what is not in it is not there. */
  isRead: boolean
}

const nothing: JobStream = {
  events: [],
  lines: [],
  progress: null,
  droppedLines: 0,
  state: 'connecting',
  isRead: false,
}

export function useJobStream(jobId: string): JobStream {
  const queries = useQueryClient()
  const [stream, setStream] = useState(nothing)
  useEffect(() => {
    setStream(nothing)
    let batch: StreamEvent[] = []
    let batchTimer: ReturnType<typeof setTimeout> | undefined
    const refresh = openRefresh({ queries, key: ['job', jobId], everyMs: refreshMs })
    const flush = () => {
      batchTimer = undefined
      const taken = batch
      batch = []
      setStream((before) => withEvents(before, taken))
      if (taken.some(({ eventType }) => eventType !== 'log' && eventType !== 'progress')) refresh.ask()
    }
    const close = openEventStream({
      path: `/v1/jobs/${jobId}/events`,
      onEvent: (event) => {
        batch.push(event)
        batchTimer ??= setTimeout(flush, batchMs)
      },
      onCaughtUp: () => {
        // What was told last goes along: without it there would seem to be nothing.
        if (batchTimer !== undefined) {
          clearTimeout(batchTimer)
          flush()
        }
        setStream((before) => (before.isRead ? before : { ...before, isRead: true }))
      },
      onState: (state) => setStream((before) => ({ ...before, state })),
      onEnd: () => {
        setStream((before) => ({ ...before, state: 'over', isRead: true }))
        refresh.ask()
      },
    })
    return () => {
      close()
      clearTimeout(batchTimer)
      refresh.stop()
    }
  }, [jobId, queries])
  return stream
}

function withEvents(before: JobStream, taken: StreamEvent[]): JobStream {
  const isLog = ({ eventType }: StreamEvent) => eventType === 'log'
  const isProgress = ({ eventType }: StreamEvent) => eventType === 'progress'
  const lines = [...before.lines, ...taken.filter(isLog).map(lineOf)]
  const events = [...before.events, ...taken.filter((event) => !isLog(event) && !isProgress(event))]
  // A new attempt begins anew.
  const last = taken.findLast((event) => isProgress(event) || event.eventType === 'started')
  return {
    ...before,
    events: events.slice(-keptEvents),
    lines: lines.slice(-keptLines),
    droppedLines: before.droppedLines + Math.max(0, lines.length - keptLines),
    progress: last === undefined ? before.progress : isProgress(last) ? last.payload : null,
  }
}

function lineOf({ id, at, payload }: StreamEvent): LogLine {
  const { stream, level, text, fields } = payload
  return {
    id,
    at,
    stream: String(stream ?? 'log'),
    level: typeof level === 'string' ? level : null,
    text: String(text ?? ''),
    fields: typeof fields === 'object' ? (fields as LogLine['fields']) : null,
  }
}

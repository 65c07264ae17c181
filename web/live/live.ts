/**
 * One stream of what happens to all jobs, for the whole dashboard. Events are handed on in batches, a few times a
 * second, however many there are.
 */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useSyncExternalStore } from 'react'
import { openEventStream, type StreamEvent, type StreamState } from './event-stream.ts'
import { askAgain, openRefresh } from './refresh.ts'

const batchMs = 250
/** What changes a list or a number somewhere. */
const types = [
  'queued',
  'started',
  'progress',
  'retry_scheduled',
  'snoozed',
  'interrupted',
  'waiting',
  'cancelling',
  'succeeded',
  'failed',
  'cancelled',
]

type Listener = (events: StreamEvent[]) => void

let state: StreamState = 'connecting'
const stateListeners = new Set<() => void>()
const listeners = new Set<Listener>()
const gapListeners = new Set<() => void>()

export function useLiveState(): StreamState {
  return useSyncExternalStore(
    (listener) => {
      stateListeners.add(listener)
      return () => stateListeners.delete(listener)
    },
    () => state,
  )
}

/** Keeps the stream open while the caller is shown. After a gap everything is asked for again. */
export function useLiveStream(): void {
  const queries = useQueryClient()
  useEffect(() => {
    let batch: StreamEvent[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    let hasGap = false
    const close = openEventStream({
      path: `/v1/events?types=${types.join(',')}`,
      skipsRests: true,
      onEvent: (event) => {
        batch.push(event)
        timer ??= setTimeout(() => {
          const events = batch
          batch = []
          timer = undefined
          for (const listener of listeners) listener(events)
        }, batchMs)
      },
      onState: (next) => {
        state = next
        for (const listener of stateListeners) listener()
        if (next === 'lost' || next === 'resting') hasGap = true
        if (next !== 'live' || !hasGap) return
        hasGap = false
        for (const listener of gapListeners) listener()
        void askAgain(queries)
      },
    })
    return () => {
      close()
      clearTimeout(timer)
    }
  }, [queries])
}

/** @param listener must stay the same from one rendering to the next */
export function useLiveEvents(listener: Listener): void {
  useEffect(() => {
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }, [listener])
}

/**
 * Told when the stream is back after a gap, for what is `askedByItsView`.
 * @param listener must stay the same from one rendering to the next
 */
export function useLiveGaps(listener: () => void): void {
  useEffect(() => {
    gapListeners.add(listener)
    return () => {
      gapListeners.delete(listener)
    }
  }, [listener])
}

/**
 * Asks again for what is under the key when something happens, once in `everyMs` at most; the last event always counts.
 * @param key must stay the same from one rendering to the next
 */
export function useLiveQuery(key: readonly unknown[], everyMs = 1000): void {
  const queries = useQueryClient()
  useEffect(() => {
    const refresh = openRefresh({ queries, key, everyMs })
    const listener: Listener = (events) => {
      if (events.some(({ eventType }) => eventType !== 'progress')) refresh.ask()
    }
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      refresh.stop()
    }
  }, [queries, key, everyMs])
}

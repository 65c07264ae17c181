/** A time as distance from now, kept current, with the whole of it on hover. */
import { useSyncExternalStore } from 'react'
import { serverNow } from '../server-clock.ts'
import { dateTime, duration, relative } from './format.ts'

const tickMs = 1000
const listeners = new Set<() => void>()
let now = serverNow()
let timer: ReturnType<typeof setInterval> | undefined

/** One clock for all. */
function useNow(): number {
  return useSyncExternalStore(subscribe, () => now)
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = serverNow()
    for (const each of listeners) each()
  }, tickMs)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

export function Time({ at }: { at: string | null }) {
  const current = useNow()
  if (at === null) return <span className="faint">–</span>
  return (
    <time dateTime={at} title={dateTime(at)}>
      {relative(Date.parse(at), Math.max(current, serverNow() - tickMs))}
    </time>
  )
}

/** How long something took, or has taken so far. */
export function Duration({ from, to }: { from: string | null; to: string | null }) {
  const current = useNow()
  if (from === null) return <span className="faint">–</span>
  const end = to === null ? current : Date.parse(to)
  return <span title={dateTime(from)}>{duration(Math.max(0, (end - Date.parse(from)) / 1000))}</span>
}

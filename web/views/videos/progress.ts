/** How far each encode is, by what the stream of all jobs tells of. */
import { useCallback, useState } from 'react'
import type { StreamEvent } from '../../live/event-stream.ts'
import { useLiveEvents } from '../../live/live.ts'

export function useEncodeProgress(): Map<string, number> {
  const [progress, setProgress] = useState(new Map<string, number>())
  const onEvents = useCallback((events: StreamEvent[]) => {
    const news = events.filter(
      ({ definitionKey, eventType }) => definitionKey === 'encode.video' && eventType === 'progress',
    )
    if (news.length === 0) return
    setProgress((before) => {
      const after = new Map(before)
      for (const { jobId, payload } of news) {
        if (typeof payload.percent === 'number') after.set(jobId, payload.percent)
      }
      return after
    })
  }, [])
  useLiveEvents(onEvents)
  return progress
}

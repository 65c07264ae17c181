/**
 * A video at a glance, under its player: the pictures of its storyboard in a row. One press goes there in the video; the
 * arrow keys go from picture to picture, and the row follows what is played.
 */
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from 'react'
import { messageOf, problemOf, sendSigned } from '../../api.ts'
import { type Frame, frameAt, readStoryboard } from './storyboard.ts'

/** @param url of the storyboard, with its token */
export function Strip({ url, video }: { url: string; video: RefObject<HTMLVideoElement | null> }) {
  const storyboard = useQuery({
    queryKey: ['storyboard', url],
    queryFn: async () => {
      const answer = await sendSigned(url)
      const text = await answer.text()
      if (!answer.ok) throw problemOf(text, answer)
      return readStoryboard(text)
    },
    staleTime: 1_800_000,
  })
  if (storyboard.error !== null) {
    return (
      <p className="aside" role="status">
        The storyboard is not to be had: {messageOf(storyboard.error)}
      </p>
    )
  }
  return <Frames frames={storyboard.data ?? []} video={video} />
}

const steps: Record<string, (at: number, last: number) => number> = {
  ArrowRight: (at) => at + 1,
  ArrowLeft: (at) => at - 1,
  Home: () => 0,
  End: (_, last) => last,
}

function Frames({ frames, video }: { frames: Frame[]; video: RefObject<HTMLVideoElement | null> }) {
  const strip = useRef<HTMLFieldSetElement>(null)
  const [played, setPlayed] = useState(0)
  useEffect(() => {
    const element = video.current
    if (element === null) return
    const note = () => setPlayed(Math.max(0, frameAt(frames, element.currentTime)))
    element.addEventListener('timeupdate', note)
    return () => element.removeEventListener('timeupdate', note)
  }, [frames, video])
  useEffect(() => {
    const row = strip.current
    const shown = row?.children[played]
    if (row === null || !(shown instanceof HTMLElement)) return
    const isSeen =
      shown.offsetLeft >= row.scrollLeft &&
      shown.offsetLeft + shown.offsetWidth <= row.scrollLeft + row.clientWidth
    // Not scrollIntoView: it would scroll the page, too, under the hand of somebody who reads on below.
    if (!isSeen) row.scrollTo({ left: shown.offsetLeft - row.clientWidth / 3 })
  }, [played])

  const seek = ({ fromSeconds }: Frame, index: number) => {
    const element = video.current
    if (element === null) return
    element.currentTime = fromSeconds
    setPlayed(index)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const next = steps[event.key]?.(played, frames.length - 1)
    const frame = next === undefined ? undefined : frames[next]
    if (next === undefined || frame === undefined) return
    event.preventDefault()
    seek(frame, next)
    const button = strip.current?.children[next]
    if (button instanceof HTMLElement) button.focus({ preventScroll: true })
  }
  return (
    <fieldset ref={strip} className="strip" aria-label="Storyboard" onKeyDown={onKeyDown}>
      {frames.map((frame, index) => (
        <button
          key={frame.fromSeconds}
          type="button"
          className="strip-frame"
          aria-label={`Go to ${clock(frame.fromSeconds)}`}
          aria-current={index === played ? 'time' : undefined}
          tabIndex={index === played ? 0 : -1}
          onClick={() => seek(frame, index)}
        >
          <Picture frame={frame} />
          <span className="strip-time" aria-hidden="true">
            {clock(frame.fromSeconds)}
          </span>
        </button>
      ))}
    </fieldset>
  )
}

function Picture({ frame: { url, x, y, width, height } }: { frame: Frame }) {
  return (
    <svg viewBox={`${x} ${y} ${width} ${height}`} aria-hidden="true">
      <image href={url} />
    </svg>
  )
}

/** As players write a time: 0:07, 12:30, 1:02:30. */
function clock(atSeconds: number): string {
  const whole = Math.floor(atSeconds)
  const pad = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${minutes}:${pad(seconds)}`
}

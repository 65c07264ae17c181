/** Plays a video: a file as it is, a stream by hls.js, which is loaded only then. */
import { useQuery } from '@tanstack/react-query'
import { type RefObject, useEffect, useEffectEvent, useRef, useState } from 'react'
import { messageOf } from '../../api.ts'
import { linkOf } from './links.ts'
import { pathOf } from './playback.ts'

/** A link that fails when it is younger has not run out: a fresh one would fail as well, and so on for ever. */
const freshForMs = 60_000

type VideoRef = RefObject<HTMLVideoElement | null>

export interface Playable {
  /** Of a playlist, with its token. */
  hlsUrl: string | null
  file: PlayedFile | null
  posterUrl: string | null
}

interface PlayedFile {
  /** Behind a redirect. */
  path: string
  /** The encode, if it is known: a file that is made again has the path of the one before. */
  madeBy: string | null
}

/** @param onWorn asks for a fresh link in place of one that does not play any more */
export function Player({
  hlsUrl,
  file,
  posterUrl,
  video,
  onWorn,
}: Playable & { video: VideoRef; onWorn: (url: string) => void }) {
  if (file !== null) {
    return <FilePlayer key={`${file.path} ${file.madeBy}`} file={file} posterUrl={posterUrl} video={video} />
  }
  return hlsUrl === null ? null : (
    // By its path: of another video nothing goes on where this one was.
    <StreamPlayer key={pathOf(hlsUrl)} url={hlsUrl} posterUrl={posterUrl} video={video} onWorn={onWorn} />
  )
}

interface Played {
  posterUrl: string | null
  video: VideoRef
}

interface Place {
  seconds: number
  isPlaying: boolean
}

function placeOf({ currentTime, paused, ended }: HTMLVideoElement): Place {
  return { seconds: currentTime, isPlaying: !paused && !ended }
}

/** A browser that lets nothing begin by itself leaves it standing there. */
function playOn(element: HTMLVideoElement): void {
  element.play().catch(() => {})
}

function FilePlayer({ file: { path, madeBy }, posterUrl, video }: Played & { file: PlayedFile }) {
  // Each answer is another link, by which the element would begin anew: nothing but `renew` asks for one.
  const link = useQuery({
    queryKey: ['link', path, madeBy],
    queryFn: () => linkOf(path),
    staleTime: 'static',
  })
  /** Where a link was left for a fresh one. */
  const left = useRef<Place>(null)
  const renew = (element: HTMLVideoElement) => {
    if (link.isFetching || Date.now() - link.dataUpdatedAt <= freshForMs) return
    left.current = placeOf(element)
    void link.refetch()
  }
  const goOn = (element: HTMLVideoElement) => {
    if (left.current === null) return
    const { seconds, isPlaying } = left.current
    left.current = null
    element.currentTime = seconds
    if (isPlaying) playOn(element)
  }
  return (
    <>
      {link.data === undefined && link.error !== null ? null : (
        // biome-ignore lint/a11y/useMediaCaption: what was uploaded brings no captions
        <video
          ref={video}
          className="player"
          controls
          playsInline
          preload="metadata"
          src={link.data}
          poster={posterUrl ?? undefined}
          onError={({ currentTarget }) => renew(currentTarget)}
          onLoadedMetadata={({ currentTarget }) => goOn(currentTarget)}
        />
      )}
      {link.error === null ? null : (
        <p className="field-error" role="alert">
          {messageOf(link.error)}
        </p>
      )}
    </>
  )
}

function StreamPlayer({
  url,
  posterUrl,
  video,
  onWorn,
}: Played & { url: string; onWorn: (url: string) => void }) {
  const [problem, setProblem] = useState<string>()
  /** Where a link was left for a fresh one. */
  const left = useRef<Place>({ seconds: 0, isPlaying: false })
  const wear = useEffectEvent(onWorn)
  useEffect(() => {
    const element = video.current
    if (element === null) return
    let stop = () => {}
    let isGone = false
    const openedAt = Date.now()
    setProblem(undefined)
    void (async () => {
      const { default: Hls } = await import('hls.js')
      if (isGone) return
      const { seconds, isPlaying } = left.current
      /** Until then it stands at its beginning, which is not where the link before was left. */
      let hasBegun = false
      const begin = () => {
        hasBegun = true
      }
      if (!Hls.isSupported()) {
        // Safari on a phone plays streams by itself.
        element.src = url
        element.currentTime = seconds
        return
      }
      // A worker would be made from a blob, which the content security policy does not let run.
      const hls = new Hls({ enableWorker: false, startPosition: seconds })
      hls.on(Hls.Events.ERROR, (_event, { fatal, details }) => {
        if (!fatal) return
        setProblem(`The stream can’t be played: ${details}.`)
        if (Date.now() - openedAt > freshForMs) wear(url)
      })
      hls.loadSource(url)
      hls.attachMedia(element)
      for (const event of ['seeked', 'playing']) element.addEventListener(event, begin, { once: true })
      if (isPlaying) playOn(element)
      stop = () => {
        for (const event of ['seeked', 'playing']) element.removeEventListener(event, begin)
        if (hasBegun) left.current = placeOf(element)
        hls.destroy()
      }
    })()
    return () => {
      isGone = true
      stop()
    }
  }, [url, video])
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: what was uploaded brings no captions */}
      <video
        ref={video}
        className="player"
        controls
        playsInline
        preload="metadata"
        poster={posterUrl ?? undefined}
      />
      {problem === undefined ? null : (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
    </>
  )
}

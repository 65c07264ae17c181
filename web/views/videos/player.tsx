/** Plays a video: a file as it is, a stream by hls.js, which is loaded only then. */
import { useQuery } from '@tanstack/react-query'
import { type RefObject, useEffect, useState } from 'react'
import { messageOf } from '../../api.ts'
import type { VideoStatus } from '../../types.ts'
import { linkOf } from './links.ts'

/** With its token, so that it can stand in an element of the page. */
export function posterOf(video: VideoStatus): string | null {
  return textOf(playbackOf(video).posterUrl)
}

export function streamOf(video: VideoStatus): string | null {
  return textOf(playbackOf(video).hlsUrl)
}

function playbackOf(video: VideoStatus): Record<string, unknown> {
  return 'playback' in video && video.playback !== undefined ? { ...video.playback } : {}
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** WebVTT, with its token. */
export function storyboardOf(video: VideoStatus): string | null {
  return textOf(playbackOf(video).storyboardUrl)
}

export function thumbnailsOf(video: VideoStatus): string[] {
  const { thumbnailUrls } = playbackOf(video)
  return Array.isArray(thumbnailUrls) ? thumbnailUrls.filter((url) => typeof url === 'string') : []
}

type VideoRef = RefObject<HTMLVideoElement | null>

export interface Playable {
  /** Of a playlist, with its token. */
  hlsUrl: string | null
  /** Of a file, behind a redirect. */
  filePath: string | null
  posterUrl: string | null
}

export function Player({ hlsUrl, filePath, posterUrl, video }: Playable & { video: VideoRef }) {
  return hlsUrl === null ? (
    <FilePlayer path={filePath ?? ''} posterUrl={posterUrl} video={video} />
  ) : (
    <StreamPlayer url={hlsUrl} posterUrl={posterUrl} video={video} />
  )
}

interface Played {
  posterUrl: string | null
  video: VideoRef
}

function FilePlayer({ path, posterUrl, video }: Played & { path: string }) {
  const link = useQuery({ queryKey: ['link', path], queryFn: () => linkOf(path), staleTime: 1_800_000 })
  if (link.error !== null) {
    return (
      <p className="field-error" role="alert">
        {messageOf(link.error)}
      </p>
    )
  }
  return (
    // biome-ignore lint/a11y/useMediaCaption: what was uploaded brings no captions
    <video
      ref={video}
      className="player"
      controls
      playsInline
      preload="metadata"
      src={link.data}
      poster={posterUrl ?? undefined}
    />
  )
}

function StreamPlayer({ url, posterUrl, video }: Played & { url: string }) {
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    const element = video.current
    if (element === null) return
    let stop = () => {}
    let isGone = false
    void (async () => {
      const { default: Hls } = await import('hls.js')
      if (isGone) return
      if (!Hls.isSupported()) {
        // Safari on a phone plays streams by itself.
        element.src = url
        return
      }
      // A worker would be made from a blob, which the content security policy does not let run.
      const hls = new Hls({ enableWorker: false })
      hls.on(Hls.Events.ERROR, (_event, { fatal, details }) => {
        if (fatal) setProblem(`The stream can’t be played: ${details}.`)
      })
      hls.loadSource(url)
      hls.attachMedia(element)
      stop = () => hls.destroy()
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

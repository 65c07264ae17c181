import { expect, test } from 'vitest'
import type { VideoStatus } from '../../../web/types.ts'
import { answeredOutputs, keepLinks, playbackOf } from '../../../web/views/videos/playback.ts'

const id = '0198a1b2-0000-7000-8000-000000000001'
const lifeSeconds = 21_600
const start = 1_800_000_000
const hlsUrl = `/v1/videos/${id}/playlist.m3u8`
const posterUrl = `/v1/videos/${id}/poster`
const storyboardUrl = `/v1/videos/${id}/storyboard.vtt`
const thumbnailUrl = (index: number) => `/v1/videos/${id}/thumbnails/${index}`

const tokenAt = (seconds: number) => `${(start + seconds + lifeSeconds).toString(36)}.signed-at-${seconds}`
const linkAt = (seconds: number, path: string) => `${path}?token=${tokenAt(seconds)}`

/** As it is answered so many seconds after the first answer. */
function statusAt(
  seconds: number,
  { percent = 100, thumbnails = 1, outputs = [] as Partial<ReturnType<typeof output>>[] } = {},
): VideoStatus {
  const link = (path: string) => linkAt(seconds, path)
  const playback = {
    ...{ expiresInSeconds: lifeSeconds, token: tokenAt(seconds) },
    hlsUrl: link(hlsUrl),
    dashUrl: link(`/v1/videos/${id}/manifest.mpd`),
    posterUrl: link(posterUrl),
    storyboardUrl: link(storyboardUrl),
    thumbnailUrls: Array.from({ length: thumbnails }, (_, index) => link(thumbnailUrl(index + 1))),
  }
  return Object.assign(withoutPlayback(percent), { playback, outputs })
}

function withoutPlayback(percent: number): VideoStatus {
  return {
    ...{ jobId: id, status: 'running', definitionKey: 'encode.video' },
    ...{ progress: { percent }, error: undefined },
  }
}

function output(kind: string, name: string, jobId: string) {
  return { kind, name, jobId, filename: name, contentType: 'x/y', url: `/v1/videos/${id}/outputs/${name}` }
}

test('a status that is read again leaves the links as they are, and brings everything else', () => {
  const first = keepLinks(undefined, statusAt(0), null)
  expect(playbackOf(first)).toEqual(playbackOf(statusAt(0)))
  const next = keepLinks(first, statusAt(60, { percent: 50, thumbnails: 2 }), null)
  expect(next.progress).toEqual({ percent: 50 })
  expect(playbackOf(next)).toEqual({
    hlsUrl: linkAt(0, hlsUrl),
    posterUrl: linkAt(0, posterUrl),
    storyboardUrl: linkAt(0, storyboardUrl),
    thumbnailUrls: [linkAt(0, thumbnailUrl(1)), linkAt(60, thumbnailUrl(2))],
  })
})

test('links that are about to run out give way to fresh ones, which then stay', () => {
  const late = keepLinks(statusAt(0), statusAt(lifeSeconds * 0.95), null)
  expect(playbackOf(late)).toEqual(playbackOf(statusAt(lifeSeconds * 0.95)))
  const later = keepLinks(late, statusAt(lifeSeconds), null)
  expect(playbackOf(later)).toEqual(playbackOf(statusAt(lifeSeconds * 0.95)))
})

test('a link that does not play gives way to a fresh one, the others stay', () => {
  const next = playbackOf(keepLinks(statusAt(0), statusAt(60), linkAt(0, hlsUrl)))
  expect(next).toMatchObject({ hlsUrl: linkAt(60, hlsUrl), posterUrl: linkAt(0, posterUrl) })
})

test('a video that has nothing to play yet has no links, and gets its first ones when there are some', () => {
  const none = withoutPlayback(1)
  const links = { hlsUrl: null, posterUrl: null, storyboardUrl: null, thumbnailUrls: [] }
  expect(playbackOf(keepLinks(statusAt(0), none, null))).toEqual(links)
  expect(playbackOf(keepLinks(none, statusAt(60), null))).toEqual(playbackOf(statusAt(60)))
})

test('links to what was made again give way to fresh ones; what is new, or stayed, changes none', () => {
  const first = [
    output('rendition', '720p.mp4', 'a'),
    output('poster', 'poster.jpg', 'a'),
    output('thumbnail', 'thumbnail-1.jpg', 'a'),
  ]
  const added = [...first, output('rendition', '480p.mp4', 'b')]
  const known = statusAt(0, { outputs: first })
  expect(playbackOf(keepLinks(known, statusAt(60, { outputs: added }), null))).toEqual(playbackOf(known))

  const redone = added.map((each) => (each.kind === 'thumbnail' ? each : { ...each, jobId: 'c' }))
  expect(playbackOf(keepLinks(known, statusAt(60, { outputs: redone }), null))).toEqual({
    hlsUrl: linkAt(60, hlsUrl),
    posterUrl: linkAt(60, posterUrl),
    storyboardUrl: linkAt(0, storyboardUrl),
    thumbnailUrls: [linkAt(0, thumbnailUrl(1))],
  })
})

test('an output whose maker is not told, as by a release before, was not made again', () => {
  const outputs = [output('rendition', '720p.mp4', 'a'), output('poster', 'poster.jpg', 'a')]
  const untold = outputs.map(({ jobId: _jobId, ...each }) => each)
  const makersIn = (video: VideoStatus) => answeredOutputs(video).map(({ jobId }) => jobId)
  let shown = keepLinks(undefined, statusAt(0, { outputs: untold }), null)
  for (const answer of [outputs, untold, outputs]) {
    shown = keepLinks(shown, statusAt(60, { outputs: answer }), null)
    expect(playbackOf(shown)).toEqual(playbackOf(statusAt(0)))
    expect(makersIn(shown)).toEqual(['a', 'a'])
  }
  const redone = outputs.map((each) => ({ ...each, jobId: 'b' }))
  shown = keepLinks(shown, statusAt(120, { outputs: redone }), null)
  expect(playbackOf(shown)).toMatchObject({ hlsUrl: linkAt(120, hlsUrl), posterUrl: linkAt(120, posterUrl) })
  const file = Object.assign(withoutPlayback(100), { outputs })
  expect(makersIn(keepLinks(file, Object.assign(withoutPlayback(100), { outputs: untold }), null))).toEqual([
    'a',
    'a',
  ])
})

/** HLS as hls.js plays it, on a page of another origin: in all sizes, sounds and subtitles, from beginning to end. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type HlsPlayer from 'hls.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { noBrowser, openBrowser, type TestPage } from '../../support/browser.ts'
import { testClips } from '../../support/clips.ts'
import { startServer } from '../../support/server.ts'
import { allowPages } from '../../support/storage.ts'
import { until } from '../../support/until.ts'
import { encodeByLink, statusOf } from '../../support/video-client.ts'

/** A segment and a rest. */
const seconds = 6.5
const clips = await testClips()
const origin = await serveHls()
const server = await startServer({ environment: { CORS_ORIGINS: origin } })
const storage = new URL(server.bucket.config.S3_ENDPOINT ?? '').origin
const browser = await openBrowser([server.url, storage, origin])
await allowPages(server.bucket)

let url = ''
beforeAll(async () => {
  if (noBrowser !== null) return
  const path = await clips.make({
    ...{ name: 'two-sizes.mkv', size: '640x360', seconds },
    options: [
      ...['-f', 'lavfi', '-i', `sine=frequency=880:duration=${seconds}`],
      ...['-i', await clips.write('words.srt', '1\n00:00:01,000 --> 00:00:02,000\nHello\n')],
      ...['-map', '0:v', '-map', '1:a', '-map', '2:a', '-map', '3:s'],
      ...[
        '-metadata:s:a:0',
        'language=eng',
        '-metadata:s:a:1',
        'language=ger',
        '-metadata:s:s:0',
        'language=eng',
      ],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
    ],
  })
  const job = await encodeByLink(server, path, { ladder: true })
  await job.reaches('succeeded', 120)
  const { playback } = await statusOf(server, job)
  url = `${server.url}${(playback as { hlsUrl: string }).hlsUrl}`
}, 150_000)

test.skipIf(noBrowser)('every size, sound and subtitle is there to be chosen', async () => {
  const page = await openPlayer()
  const offered = await page.evaluate(() => ({
    sizes: player()
      .hls.levels.map(({ width, height }) => `${width}x${height}`)
      .toSorted(),
    sounds: player().hls.audioTracks.map(({ lang }) => lang),
    subtitles: player().hls.subtitleTracks.map(({ lang }) => lang),
  }))
  expect(offered).toEqual({ sizes: ['426x240', '640x360'], sounds: ['en', 'de'], subtitles: ['en'] })
})

test.skipIf(noBrowser)('it plays to its end, without a gap, while size and sound are changed', async () => {
  const page = await openPlayer()
  const change = (what: 'nextLevel' | 'audioTrack', to: number) =>
    page.evaluate(
      ([name, value]) => {
        player().hls[name] = value
      },
      [what, to] as const,
    )
  const width = () => page.evaluate(() => player().video.videoWidth)
  expect(await width()).toBe(426)
  await change('nextLevel', 1)
  await page.evaluate(() => player().video.play())
  await change('audioTrack', 1)
  await until('the large size', async () => (await width()) === 640)
  await until('the end', () => page.evaluate(() => player().video.ended), 90)
  const seen = await page.evaluate(() => {
    const { video, problems } = player()
    const ranges = Array.from({ length: video.buffered.length }, (_, index) => [
      video.buffered.start(index),
      video.buffered.end(index),
    ])
    const { totalVideoFrames } = video.getVideoPlaybackQuality()
    return { ranges, totalVideoFrames, problems, duration: video.duration, sound: player().hls.audioTrack }
  })
  // What comes in while a change empties the buffer may go with it: hls.js says so, and fetches it again.
  expect(seen.problems.filter((problem) => problem !== 'bufferAppendNoProgress')).toEqual([])
  expect(seen.sound).toBe(1)
  expect(seen.duration).toBeGreaterThan(seconds - 0.2)
  expect(seen.duration).toBeLessThan(seconds + 0.2)
  // What was left behind is forgotten with each change; in the rest nothing is missing.
  expect(seen.ranges).toHaveLength(1)
  expect(seen.ranges[0]?.[1]).toBeGreaterThan(seconds - 0.2)
  expect(seen.totalVideoFrames).toBeGreaterThan(0)
})

test.skipIf(noBrowser)(
  'a place in the middle is jumped to, and subtitles are shown at their time',
  async () => {
    const page = await openPlayer()
    const picture = () =>
      page.evaluate(
        () => player().video.readyState >= 2 && !player().video.seeking && player().video.currentTime,
      )
    await page.evaluate(() => {
      player().hls.subtitleTrack = 0
      player().video.currentTime = 5.5
    })
    expect(await until('a picture of the later place', picture)).toBeCloseTo(5.5, 1)
    await page.evaluate(() => {
      player().video.currentTime = 1.5
    })
    const words = () =>
      page.evaluate(() =>
        [...player().video.textTracks].flatMap(({ activeCues }) =>
          [...(activeCues ?? [])].map((cue) => (cue as VTTCue).text),
        ),
      )
    expect(await until('the words', async () => (await words()).length > 0 && (await words()))).toEqual([
      'Hello',
    ])
    expect(await page.evaluate(() => player().problems)).toEqual([])
  },
)

interface Player {
  hls: HlsPlayer
  video: HTMLVideoElement
  /** What hls.js found wrong with what it plays, also where it got over it. */
  problems: string[]
}
declare const player: () => Player

async function openPlayer(): Promise<TestPage> {
  const page = await browser.open(`${origin}/#${url}`)
  await until('a first picture', () => page.evaluate(() => player().video.readyState >= 2))
  return page
}

/** A page with nothing but hls.js and a video element, which plays what its address names. */
async function serveHls(): Promise<string> {
  const script = await readFile(createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js'))
  const text = `<!doctype html><title>hls.js</title><video muted></video><script src="/hls.js"></script><script>
    const video = document.querySelector('video')
    const hls = new Hls({ startLevel: 0 })
    const problems = []
    // It aborts requests itself when it changes to another size, and a busy machine may be too slow for any player.
    const passing = ['aborted', 'bufferStalledError', 'bufferNudgeOnStall']
    hls.on(Hls.Events.ERROR, (_event, { details }) => passing.includes(details) || problems.push(details))
    hls.loadSource(location.hash.slice(1))
    hls.attachMedia(video)
    globalThis.player = () => ({ hls, video, problems })
  </script>`
  const page = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request) =>
      new URL(request.url).pathname === '/hls.js'
        ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
        : new Response(text, { headers: { 'content-type': 'text/html' } }),
  })
  afterAll(() => page.stop(true))
  return `http://127.0.0.1:${page.port}`
}

/** HLS and DASH as players meet them: over HTTP, without an API key, by the links of the status alone. */
import { parse as parseManifest } from 'mpd-parser'
import { beforeAll, describe, expect, test } from 'vitest'
import { createKey } from '../../core/keys/create.ts'
import { childBoxes, findBox } from '../../jobs/video/boxes.ts'
import { codecString } from '../../jobs/video/codec-string.ts'
import { inspect, testClips, testFfprobe } from '../support/clips.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { packetsOf, readPlaylist, readRange } from '../support/streaming.ts'
import { until } from '../support/until.ts'
import {
  encodeByForm,
  encodeByLink,
  formWith,
  openUpload,
  problemOf,
  putAll,
  sendForm,
  statusOf,
} from '../support/video-client.ts'

const server = await startServer()
const clips = await testClips()

/** 4 s and a rest, at a rate that is no whole number; the second sound begins late. */
const seconds = 5.5
const secondSound = ['-f', 'lavfi', '-i', `sine=frequency=880:sample_rate=44100:duration=${seconds}`]

let job: TestJob
let playback: Record<'hlsUrl' | 'dashUrl' | 'posterUrl' | 'storyboardUrl' | 'token', string> & {
  thumbnailUrls: string[]
}

beforeAll(async () => {
  const path = await clips.make({
    ...{ name: 'stream.mkv', size: '864x486', framesPerSecond: 30_000 / 1001, seconds },
    options: [
      ...secondSound,
      ...['-i', await clips.write('words.srt', '1\n00:00:01,000 --> 00:00:02,000\nHello\n')],
      ...['-map', '0:v', '-map', '1:a', '-map', '2:a', '-map', '3:s', '-metadata:s:s:0', 'language=eng'],
      ...['-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=ger'],
      ...['-metadata:s:a:1', 'title=Kommentar "1"'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
    ],
  })
  job = await encodeByLink(server, path, {
    ladder: true,
    poster: { atSeconds: 2 },
    thumbnails: 2,
    storyboard: true,
  })
  await job.reaches('succeeded', 120)
  const status = await statusOf(server, job)
  playback = status.playback as typeof playback
}, 150_000)

const master = async () => await readPlaylist(`${server.url}${playback.hlsUrl}`)
const below = (uri: string) => new URL(uri, `${server.url}${playback.hlsUrl}`).href

test('the ladder goes from the size of the source down, and every size says what a player has to know', async () => {
  const { playlists, text, version } = await master()
  expect(version).toBe(7)
  expect(text).toContain('#EXT-X-INDEPENDENT-SEGMENTS')
  expect(playlists.map(({ attributes }) => attributes)).toMatchObject([
    { RESOLUTION: { width: 854, height: 480 } },
    { RESOLUTION: { width: 640, height: 360 } },
    { RESOLUTION: { width: 426, height: 240 } },
  ])
  const { outputs = [] } = await statusOf(server, job)
  for (const { attributes, uri } of playlists) {
    expect(attributes).toMatchObject({ 'FRAME-RATE': 29.97, AUDIO: 'aac' })
    const { segments } = await readPlaylist(below(uri))
    const rates = segments.slice(0, 1).map(({ duration, byterange }) => (8 * byterange.length) / duration)
    expect(Number(attributes.BANDWIDTH)).toBeGreaterThanOrEqual(Math.max(...rates))
    expect(Number(attributes['AVERAGE-BANDWIDTH'])).toBeLessThanOrEqual(Number(attributes.BANDWIDTH))
    const head = await readRange(segments[0]?.map.uri ?? '', segments[0]?.map.byterange ?? noRange)
    expect(attributes.CODECS).toBe(`${codecString(head)},mp4a.40.2`)
    expect(attributes.CODECS).toMatch(/^avc1\.64[0-9a-f]{4},/)
  }
  expect(outputs.filter(({ kind }) => kind === 'rendition')).toHaveLength(3)
})

const noRange = { offset: 0, length: 0 }

test('segments begin at the same times in all sizes, each with a picture that needs no other', async () => {
  const { playlists } = await master()
  const borders = new Set<string>()
  for (const { uri } of playlists) {
    const { segments, endList, playlistType, targetDuration } = await readPlaylist(below(uri))
    expect({ endList, playlistType, targetDuration }).toEqual({
      endList: true,
      playlistType: 'VOD',
      targetDuration: 4,
    })
    borders.add(segments.map(({ duration }) => duration.toFixed(4)).join(' '))
    for (const [index, { map, byterange, uri: link }] of segments.entries()) {
      const bytes = Buffer.concat([await readRange(map.uri, map.byterange), await readRange(link, byterange)])
      const packets = await packetsOf(await clips.write(`segment-${index}.mp4`, bytes))
      expect(packets[0]).toMatchObject({ kind: 'video', isKey: true })
      // Two groups of pictures, of which each is closed: nothing is shown before the second one's key frame that
      // comes after it.
      const keys = packets.flatMap(({ isKey }, at) => (isKey ? [at] : []))
      for (const at of keys) {
        const key = packets[at]?.seconds ?? 0
        expect(packets.slice(at).every((packet) => packet.seconds >= key)).toBe(true)
      }
    }
  }
  // 120 frames and 46 of 30000/1001 a second: in Matroska the lead-in of AAC makes the first of the 165 pictures late,
  // so it fills the time before it too.
  expect([...borders]).toEqual(['4.0040 1.5349'])
})

test("FFmpeg's player finds picture and sound in step, whole, and in order", async () => {
  const packets = await packetsOf(`${server.url}${playback.hlsUrl}`)
  for (const kind of ['video', 'audio'] as const) {
    const times = packets.filter((packet) => packet.kind === kind).map((packet) => packet.seconds)
    expect(Math.min(...times)).toBeCloseTo(0, 2)
    expect(Math.max(...times)).toBeGreaterThan(seconds - 0.1)
  }
})

test('all sounds of the source can be chosen, by language and name', async () => {
  const { mediaGroups } = await master()
  expect(mediaGroups.AUDIO.aac).toMatchObject({
    English: { language: 'en', default: true },
    // A quoted string can hold no quotes.
    'Kommentar  1 ': { default: false },
  })
})

test('DASH plays the same segments of the same files', async () => {
  const response = await fetch(`${server.url}${playback.dashUrl}`)
  expect(response.headers.get('content-type')).toBe('application/dash+xml')
  const uri = `${server.url}${playback.dashUrl}`
  const { playlists, mediaGroups, duration } = parseManifest(await response.text(), { manifestUri: uri })
  expect(duration).toBeCloseTo(seconds, 1)
  expect(playlists).toHaveLength(3)
  expect(Object.keys(mediaGroups.AUDIO.audio ?? {})).toHaveLength(2)

  const { playlists: variants } = await master()
  for (const { attributes, sidx } of playlists) {
    const variant = variants.find(
      ({ attributes: of }) => of.RESOLUTION?.height === attributes.RESOLUTION?.height,
    )
    const { segments } = await readPlaylist(below(variant?.uri ?? ''))
    expect(variant?.attributes.CODECS).toContain(attributes.CODECS)
    const index = await readRange(sidx.resolvedUri, sidx.byterange)
    expect(referencesOf(index, sidx.byterange.offset + sidx.byterange.length)).toEqual(
      segments.map(({ byterange }) => byterange),
    )
  }
})

/** Where the segments are that a segment index names (ISO/IEC 14496-12, 8.16.3). */
function referencesOf(index: Uint8Array, from: number) {
  const view = new DataView(index.buffer, index.byteOffset)
  expect(childBoxes(index)).toMatchObject([{ type: 'sidx', sizeBytes: index.length }])
  let offset = from + view.getUint32(24)
  return Array.from({ length: view.getUint16(30) }, (_, reference) => {
    const length = view.getUint32(32 + 12 * reference)
    const range = { offset, length }
    offset += length
    return range
  })
}

test('the poster is a JPEG as large as the largest size', async () => {
  const response = await fetch(`${server.url}${playback.posterUrl}`)
  expect(response.headers.get('content-type')).toBe('image/jpeg')
  const path = await clips.write('poster.jpg', await response.bytes())
  const shown = ['-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0']
  expect((await testFfprobe(['-v', 'error', ...shown, path])).trim()).toBe('mjpeg,854,480')
})

test('thumbnails and storyboard are had by links of their own', async () => {
  expect(playback.thumbnailUrls).toHaveLength(2)
  for (const url of playback.thumbnailUrls) {
    const response = await fetch(`${server.url}${url}`)
    expect(response.headers.get('content-type')).toBe('image/jpeg')
    await response.arrayBuffer()
  }
  const storyboard = await fetch(`${server.url}${playback.storyboardUrl}`)
  expect(storyboard.headers.get('content-type')).toContain('text/vtt')
  const [, sheet = ''] = /(http\S+)#xywh=0,0,160,90/.exec(await storyboard.text()) ?? []
  expect((await fetch(sheet)).status).toBe(200)
})

test('subtitles can be chosen in both kinds of stream', async () => {
  const { mediaGroups } = await master()
  const track = mediaGroups.SUBTITLES.subtitles?.English
  expect(track).toMatchObject({ language: 'en', default: false })
  const { segments } = await readPlaylist(below(track?.uri ?? ''))
  expect(await (await fetch(segments[0]?.uri ?? '')).text()).toContain('Hello')
  expect(await (await fetch(`${server.url}${playback.dashUrl}`)).text()).toContain(
    'mimeType="text/vtt" lang="en"',
  )
})

describe('a watermark', () => {
  const opened = async (contentType: string, bytes: Blob) => {
    const upload = await openUpload(server, { filename: 'logo', contentType, sizeBytes: bytes.size })
    await putAll(upload, bytes)
    return upload.uploadId
  }
  const complete = (id: string) => server.request('POST', `/v1/videos/uploads/${id}/complete`)

  test('is an upload of its own, which is no video', async () => {
    const logo = await clips.make({
      ...{ name: 'logo.png', picture: 'color=red:size=40x20', sound: false, options: ['-frames:v', '1'] },
    })
    const uploadId = await opened('image/png', Bun.file(logo))
    expect((await complete(uploadId)).status).toBe(200)
    const path = await clips.make({ name: 'plain.mp4', size: '64x36', seconds: 0.4 })
    const marked = await encodeByLink(server, path, { watermark: { uploadId } })
    await marked.reaches('succeeded')
    const answer = await server.request('POST', '/v1/videos/encode', { uploadId })
    await problemOf(answer, 400, 'invalid_media')
  })

  test('that is no picture is refused when its upload is completed', async () => {
    const uploadId = await opened('image/png', new Blob(['#EXTM3U\nfile:///etc/passwd\n']))
    await problemOf(await complete(uploadId), 400, 'invalid_media')
  })
})

test('one size of what the source is larger than can be asked for, beside a file', async () => {
  const path = await clips.make({ name: 'odd-size.mkv', size: '322x242', seconds: 1, sound: false })
  const outputs = [
    { format: 'mp4', height: 120 },
    { format: 'dash', height: 120 },
    { format: 'hls', height: 9 * 240 },
  ]
  const one = await encodeByForm(server, path, { outputs: JSON.stringify(outputs) })
  await one.reaches('succeeded')
  const status = await statusOf(server, one)
  expect(status.outputs).toMatchObject([
    { kind: 'video', width: 160, height: 120, url: `/v1/videos/${one.id}/download` },
    { kind: 'rendition', width: 160, height: 120 },
    { kind: 'rendition', width: 322, height: 242 },
  ])
  const head = await (
    await fetch(`${server.url}/v1/videos/${one.id}/outputs/${status.outputs?.[1]?.name}`)
  ).bytes()
  expect(findBox(head, 'moov/mvex'), 'fragments, as segments are made of').toBeDefined()
})

test('a form asks for a stream by its format alone', async () => {
  const path = await clips.make({ name: 'tiny.mp4', size: '64x36', seconds: 0.5 })
  const streamed = await encodeByForm(server, path, { format: 'hls' })
  await streamed.reaches('succeeded')
  const status = await statusOf(server, streamed)
  expect(status.outputs).toMatchObject([{ kind: 'rendition', height: 36 }, { kind: 'audio' }])
  expect(status.downloadUrl).toBeUndefined()
  const download = await server.request('GET', `/v1/videos/${streamed.id}/download`)
  await problemOf(download, 404, 'output_not_ready')
})

describe('an addition', () => {
  const add = (body: object) => server.request('POST', `/v1/videos/${job.id}/outputs`, body)

  test('joins the playlists, with segments that begin where those of the others do', async () => {
    const answer = await add({ outputs: [{ format: 'hls', height: 120, audio: false }] })
    expect(answer.status).toBe(201)
    const { jobId } = await answer.json()
    await server.job(jobId).reaches('succeeded')
    expect(await statusOf(server, job)).toMatchObject({ additions: [{ jobId, status: 'succeeded' }] })
    const { playlists } = await master()
    expect(playlists.map(({ attributes }) => attributes.RESOLUTION?.height)).toEqual([480, 360, 240, 120])
    const borders = async (uri = '') =>
      (await readPlaylist(below(uri))).segments.map((segment) => segment.duration)
    expect(await borders(playlists[3]?.uri)).toEqual(await borders(playlists[0]?.uri))
  })

  test('takes the place of what goes by its name', async () => {
    const sizeOf = async () =>
      (await statusOf(server, job)).outputs?.filter(({ name }) => name === 'video-h264-240p.mp4')
    const [before] = (await sizeOf()) ?? []
    const answer = await add({ outputs: [{ format: 'hls', height: 240, crf: 40, audio: false }] })
    const { jobId } = await answer.json()
    await server.job(jobId).reaches('succeeded')
    const [after, ...others] = (await sizeOf()) ?? []
    expect(others).toEqual([])
    // By it a page tells the new file from the one before.
    expect([before?.jobId, after?.jobId]).toEqual([job.id, jobId])
    expect(after?.sizeBytes).toBeLessThan(0.5 * Number(before?.sizeBytes))
  })

  test('of a quality takes the place of the file that is called by it', async () => {
    const path = await clips.make({ name: 'named.mp4', size: '64x36', seconds: 0.5 })
    const first = await encodeByForm(server, path, { quality: '720p' })
    await first.reaches('succeeded')
    const answer = await server.request('POST', `/v1/videos/${first.id}/outputs`, {
      outputs: [{ format: 'mp4' }],
      quality: '720p',
    })
    expect(answer.status).toBe(201)
    await server.job((await answer.json()).jobId).reaches('succeeded')
    expect((await statusOf(server, first)).outputs?.map(({ name }) => name)).toEqual(['720p.mp4'])
  })

  const sounds = [
    { what: 'none', audio: false, stream: [], file: null },
    { what: '5.1', audio: { channels: 6 }, stream: [6], file: 6 },
  ] as const
  test.each(sounds)(
    'that names no audio leaves the video its own: $what',
    async ({ what, audio, ...own }) => {
      const path = await clips.make({
        ...{ name: `sound-${what}.mp4`, size: '64x36', seconds: 0.5 },
        options: ['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-ac', '6'],
      })
      const outputs = [
        { format: 'hls', height: 36, audio },
        { format: 'mp4', height: 36, audio },
      ]
      const first = await encodeByForm(server, path, { outputs: JSON.stringify(outputs) })
      await first.reaches('succeeded')
      const answer = await server.request('POST', `/v1/videos/${first.id}/outputs`, {
        outputs: [
          { format: 'dash', height: 24 },
          { format: 'mp4', height: 24 },
        ],
      })
      await server.job((await answer.json()).jobId).reaches('succeeded')

      const { outputs: shown = [] } = await statusOf(server, first)
      const channels = shown.filter(({ kind }) => kind === 'audio').map((sound) => sound.channels)
      expect(channels).toEqual(own.stream)
      const file = await fetch(`${server.url}/v1/videos/${first.id}/outputs/h264-24p.mp4`)
      const seen = await inspect(await clips.write('added.mp4', await file.bytes()))
      expect(seen.audio?.channels ?? null).toBe(own.file)
    },
  )

  test('to a video whose first encode failed is shown, beside why that failed', async () => {
    const path = await clips.make({ name: 'short.mp4', size: '64x36', seconds: 0.5 })
    const first = await encodeByForm(server, path, { trim: JSON.stringify({ start: 100 }) })
    await first.reaches('failed')
    const answer = await server.request('POST', `/v1/videos/${first.id}/outputs`, {
      outputs: [{ format: 'hls', height: 36, audio: false }],
      trim: { start: 0 },
    })
    const { jobId } = await answer.json()
    expect(await statusOf(server, first)).toMatchObject({ status: 'failed', additions: [{ jobId }] })
    await server.job(jobId).reaches('succeeded')
    const status = await statusOf(server, first)
    expect(status).toMatchObject({ status: 'failed', outputs: [{ name: 'video-h264-36p.mp4' }] })
    expect(status).toHaveProperty('error.code')
    expect(status).toHaveProperty('source.height', 36)
    // What is left out is as it was first: another part than the stream that there is now.
    const other = { outputs: [{ format: 'hls', height: 24, audio: false }] }
    const refused = await server.request('POST', `/v1/videos/${first.id}/outputs`, other)
    await problemOf(refused, 409, 'trim_differs')
  })

  test('of another part is refused where players would be shown two at once', async () => {
    const made = async () => (await statusOf(server, job)).outputs?.map(({ name, jobId }) => [name, jobId])
    const before = await made()
    const trim = { start: 1, end: 3 }
    const subtitled = { outputs: [{ format: 'mp4', height: 120 }], trim }
    const streamed = { outputs: [{ format: 'hls', height: 120 }], trim, subtitles: false }
    const drawn = { outputs: [], storyboard: true, trim, subtitles: false }
    for (const body of [subtitled, streamed, drawn]) {
      const problem = await problemOf(await add(body), 409, 'trim_differs')
      expect(problem.details).toMatchObject([{ path: 'trim' }])
      expect(problem.detail).toMatch(/show the whole source; these would show the source from 1 s to 3 s/)
    }
    const alone = await add({ ...subtitled, subtitles: false })
    expect(alone.status).toBe(201)
    const { jobId } = await alone.json()
    await server.job(jobId).reaches('succeeded')
    expect(await made()).toEqual([...(before ?? []), ['h264-120p.mp4', jobId]])
  })

  test('to a video that is unknown, or to none at all, is refused', async () => {
    const unknown = await server.request('POST', `/v1/videos/${crypto.randomUUID()}/outputs`, {
      outputs: [{ format: 'mp4' }],
    })
    await problemOf(unknown, 404, 'job_not_found')
    const problem = await problemOf(await add({ outputs: [] }), 400, 'invalid_request')
    expect(problem.details).toMatchObject([{ path: 'outputs' }])
  })
})

describe('what can not be', () => {
  const rows = [
    { body: { outputs: [{ format: 'webm', codec: 'h264' }] }, path: 'outputs.0.codec', says: 'vp9 or av1' },
    {
      body: { outputs: [{ format: 'webm', audio: { codec: 'aac' } }] },
      ...{ path: 'outputs.0.audio', says: 'opus' },
    },
    {
      body: { outputs: [{ format: 'mp4', crf: 20, bitrate: 900_000 }] },
      path: 'outputs.0.crf',
      says: 'bitrate',
    },
    { body: { outputs: [{ format: 'mp4', crf: 52 }] }, path: 'outputs.0.crf', says: '51' },
    { body: { outputs: [{ format: 'mp4', crf: 0 }] }, path: 'outputs.0.crf', says: 'at least 1' },
    { body: { outputs: [{ format: 'hls', bitrate: 900_000 }] }, path: 'outputs.0.bitrate', says: 'height' },
    {
      body: {
        outputs: [
          { format: 'hls', height: 360 },
          { format: 'dash', height: 360 },
        ],
      },
      ...{ path: 'outputs.1.format', says: 'twice' },
    },
    { body: { outputs: [{ format: 'avi' }] }, path: 'outputs.0.format', says: '' },
    { body: { outputs: [{ format: 'mp4', heigth: 360 }] }, path: 'outputs.0', says: 'heigth' },
    { body: { poster: { atSeconds: -1 } }, path: 'poster.atSeconds', says: '' },
    { body: { qualty: '720p' }, path: '', says: 'qualty' },
    { body: { outputs: [{ format: 'mp4' }], format: 'webm' }, path: 'format', says: 'outputs' },
    { body: { thumbnails: true }, path: 'thumbnails', says: 'from 0 to 100' },
    {
      body: { outputs: [{ format: 'mp4', audio: { codec: 'opus', channels: 3 } }] },
      ...{ path: 'outputs.0.audio', says: 'channels: expected 1, 2 or 6' },
    },
  ]
  test.each(rows)('is refused with its path: $path', async ({ body, path, says }) => {
    const request = { sourceKey: 'sources/a/source', ...body }
    const answer = await server.request('POST', '/v1/videos/encode', request)
    const problem = await problemOf(answer, 400, 'invalid_request')
    expect(problem.details?.[0]?.path).toBe(path)
    expect(problem.detail).toContain(says)
  })

  test('is refused in a form, too, and what is no JSON there', async () => {
    const path = await clips.make({ name: 'refused.mp4', size: '64x36', seconds: 0.2 })
    for (const [fields, at] of [
      [{ outputs: '[{"format":"webm","codec":"h264"}]' }, 'outputs.0.codec'],
      [{ outputs: 'hls' }, 'outputs'],
      [{ outputs: '[{"format":"mp4"}]', format: 'mp4' }, 'format'],
    ] as [Record<string, string>, string][]) {
      const problem = await problemOf(
        await sendForm(server, await formWith(path, fields)),
        400,
        'invalid_request',
      )
      expect(problem.details).toMatchObject([{ path: at }])
    }
  })

  test('of a form is a word that nobody knows, whatever it says', async () => {
    const path = await clips.make({ name: 'refused.mp4', size: '64x36', seconds: 0.2 })
    const answer = await sendForm(server, await formWith(path, { qualty: '720p', filename: '5' }))
    const problem = await problemOf(answer, 400, 'invalid_request')
    expect(problem.detail).toBe('Unrecognized keys: "qualty", "filename"')
  })
})

describe('where a key is needed', () => {
  let authorization: string
  beforeAll(async () => {
    const { secret } = await createKey(server.database.sql, { name: 'any', scopes: ['read'] })
    authorization = `Bearer ${secret}`
    await until('the API to ask for keys', async () => (await get('/v1/jobs')).status === 401)
  })
  const get = (path: string) => fetch(`${server.url}${path}`, { redirect: 'manual' })

  test('a player needs none: the links of the status have a token in them', async () => {
    await problemOf(await get(`/v1/videos/${job.id}/playlist.m3u8`), 401, 'unauthorized')
    expect((await get(playback.posterUrl)).status).toBe(302)
    expect((await get(playback.dashUrl)).status).toBe(200)
    const { playlists } = await master()
    for (const { uri } of playlists) expect((await readPlaylist(below(uri))).segments).toHaveLength(2)
  })

  test('a token lasts no longer for asking with it: the playlist passes on the one it was asked with', async () => {
    const tokensIn = async (query: string, headers: Record<string, string> = {}) => {
      const playlist = await fetch(`${server.url}/v1/videos/${job.id}/playlist.m3u8${query}`, { headers })
      expect(playlist.status).toBe(200)
      return new Set(Array.from((await playlist.text()).matchAll(/\?token=([\w.-]+)/g), ([, token]) => token))
    }
    // Tokens of one second are the same: until one can be told from the old.
    const fresh = await until('a new token', async () => {
      const tokens = await tokensIn('', { authorization })
      expect(tokens.size).toBe(1)
      return !tokens.has(playback.token) && tokens
    })
    expect(await tokensIn(`?token=${playback.token}`)).toEqual(new Set([playback.token]))
    // Who shows a key may have a new one, whatever else is asked with.
    const byKey = await tokensIn(`?token=${playback.token}`, { authorization })
    expect(byKey).not.toContain(playback.token)
    const [token] = fresh
    expect((await get(`/v1/videos/${job.id}/poster?token=${token}`)).status).toBe(302)
  })

  test.each([
    {
      what: 'for another video',
      path: () => `/v1/videos/01890a5d-ac96-774b-bcce-b302099a8057/playlist.m3u8`,
    },
    { what: 'for anything but playback', path: () => `/v1/videos/${job.id}/status` },
    { what: 'for downloads of the contract', path: () => `/v1/videos/${job.id}/download` },
    { what: 'for a job of the same id', path: () => `/v1/jobs/${job.id}` },
  ])('a token is of no use $what', async ({ path }) => {
    await problemOf(await get(`${path()}?token=${playback.token}`), 401, 'unauthorized')
  })

  test.each([
    { what: 'whose time is up', token: () => `1.${playback.token.split('.')[1]}` },
    { what: 'with more time than it was given', token: () => `zzzzzzz.${playback.token.split('.')[1]}` },
    { what: 'of another signature', token: () => `${playback.token.split('.')[0]}.AAAA` },
    { what: 'with something behind it', token: () => `${playback.token}.x` },
    { what: 'that is none', token: () => 'x' },
  ])('a token $what is refused', async ({ token }) => {
    const answer = await get(`/v1/videos/${job.id}/poster?token=${token()}`)
    await problemOf(answer, 401, 'unauthorized')
  })
})

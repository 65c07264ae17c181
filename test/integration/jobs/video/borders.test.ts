/** Whether pieces are looked at where they will be joined, and can be: made as a child makes them, from a file instead of by ranges. */
import { mkdtemp, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultJobLimits } from '../../../../core/job-limits.ts'
import { encodeOptions } from '../../../../jobs/video/encode.ts'
import { runFfmpeg } from '../../../../jobs/video/ffmpeg.ts'
import { verifyBorders } from '../../../../jobs/video/segments/borders.ts'
import { TrackJoin } from '../../../../jobs/video/segments/join.ts'
import { PartParams } from '../../../../jobs/video/segments/part.ts'
import type { Piece } from '../../../../jobs/video/segments/piece.ts'
import { inspect, testClips, testFfmpeg, testTools } from '../../../support/clips.ts'
import { encodeHere, knownTools } from '../../../support/encode-here.ts'

const clips = await testClips()
const watched = {
  tools: knownTools,
  limits: { ...defaultJobLimits, stallSeconds: 60 },
  log: { debug: nothing, info: nothing, warn: unexpected, error: unexpected },
}
const bothSizes = {
  outputs: [
    { format: 'hls', height: 180 },
    { format: 'mp4', height: 90 },
  ],
}

function nothing(): void {}

function unexpected(text: string, fields: object = {}): never {
  throw new Error(`${text}: ${JSON.stringify(fields)}`)
}

type Part = PartParams & { piece: Piece }

/** The pieces of the pictures, as a video is divided into. */
async function piecesOf(path: string, request: object = bothSizes): Promise<Part[]> {
  const { outcome } = await encodeHere(await readFile(path), {}, { request: { ...request, segments: 3 } })
  if (outcome.kind !== 'waits') throw new Error(`it ${JSON.stringify(outcome)}`)
  const parts = outcome.children.map(({ params }) => PartParams.parse(params))
  return parts.flatMap(({ piece, ...part }) => (piece === null ? [] : [{ ...part, piece }]))
}

/** @param change of what FFmpeg is told */
async function encode(path: string, part: Part, { threads = 1, change = (option: string) => option } = {}) {
  const directory = await mkdtemp(join(clips.directory, 'piece-'))
  const care = { signal: new AbortController().signal, stallSeconds: 60, directory }
  const { picture, targets, piece, startSeconds, durationSeconds } = part
  const entry = { startSeconds, seekSeconds: piece.seekSeconds }
  const none = { trim: null, subtitles: [], loudness: new Map(), watermark: null }
  const command = { input: path, directory, picture, targets, entry, piece, threads, ...none }
  const options = await encodeOptions(command, watched, care)
  await runFfmpeg(testTools.ffmpeg, options.map(change), {
    ...care,
    ...{ durationSeconds, videoStream: picture.videoStream, progress: () => {} },
  })
  const encoded = { part, piece, input: path, directory, watermark: null, threads: 1 }
  return { directory, verify: () => verifyBorders(encoded, watched, care) }
}

const middle = ([, part]: Part[]) => {
  if (part === undefined) throw new Error('there is no piece in the middle')
  return part
}

test('each piece is looked at on both sides of its joins, and found to be as the source is', async () => {
  const path = await clips.make({ name: 'plain.mp4', seconds: 7 })
  const parts = await piecesOf(path)
  expect(parts.map(({ piece }) => piece.borders.map(({ side }) => side))).toEqual([
    ['tail'],
    ['head', 'tail'],
    ['head'],
  ])
  for (const part of parts) await (await encode(path, part)).verify()
})

test.each([
  { side: 'head', frames: 'lt(n,2)' },
  { side: 'tail', frames: 'gte(n,49)' },
])('a piece that shows something else at its $side is refused', async ({ side, frames }) => {
  const path = await clips.make({ name: `other-${side}.mp4`, seconds: 7 })
  const part = middle(await piecesOf(path))
  const { directory, verify } = await encode(path, part)
  const [target] = part.targets
  const piece = join(directory, target?.name ?? '')
  const covered = join(directory, 'covered.mp4')
  await testFfmpeg([
    ...['-y', '-i', piece, '-vf', `negate=enable='${frames}'`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-vsync', '0', covered],
  ])
  await rename(covered, piece)
  await expect(verify()).rejects.toMatchObject({
    code: 'output_invalid',
    message: expect.stringContaining(`less like the source at its ${side}`),
  })
})

test('pieces that were asked for by a release that did not look are not looked at', async () => {
  const path = await clips.make({ name: 'older.mp4', seconds: 7 })
  const { piece, ...part } = middle(await piecesOf(path))
  const { borders: _, ...older } = piece
  const parsed = PartParams.parse({ ...part, piece: older })
  expect(parsed.piece?.borders).toEqual([])
})

test.skipIf(!knownTools.known?.encoders.includes('libx265'))(
  'pieces in H.265 are joined though each had other threads, and one comes from an earlier release',
  async () => {
    const path = await clips.make({ name: 'unlike.mp4', size: '128x72', seconds: 7, sound: false })
    const parts = await piecesOf(path, { outputs: [{ format: 'hls', codec: 'hevc', height: 72 }] })
    // It let x265 note what it ran on.
    const earlier = (option: string) => option.replace(':info=0', '')
    const workers = [{ threads: 1 }, { threads: 2 }, { threads: 3, change: earlier }]
    const joined = join(clips.directory, 'joined.mp4')
    const track = new TrackJoin(joined)
    for (const [number, part] of parts.entries()) {
      const { directory } = await encode(path, part, workers[number])
      await track.add(join(directory, part.targets[0]?.name ?? ''))
    }
    await track.close()
    expect(track.frameCount).toBe(175)
    expect((await inspect(joined)).video.frameCount).toBe(175)
  },
)

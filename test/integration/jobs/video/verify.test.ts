import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { h264, testClips, testFfmpeg, testTools } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()

/** A tool that ends badly with what the pattern of its options names: by itself because it can't read it. */
async function failsOn(
  tool: 'ffmpeg' | 'ffprobe',
  pattern: string,
  { said = 'Invalid data found when processing input', exitCode = 1 } = {},
): Promise<string> {
  const path = join(clips.directory, `${tool}-fails`)
  const script = `#!/bin/sh
case "$*" in
${pattern}) echo '${said}' >&2; exit ${exitCode} ;;
*) exec '${testTools[tool]}' "$@" ;;
esac
`
  await writeFile(path, script)
  await chmod(path, 0o755)
  return path
}

test.each([
  {
    what: 'a file that can not be read',
    tool: 'ffprobe',
    pattern: '*encoded/*',
    outputs: [{ format: 'mp4' }],
  },
  { what: 'a stream', tool: 'ffprobe', pattern: '*finished/video*', outputs: [{ format: 'hls' }] },
  { what: 'the sound of one', tool: 'ffprobe', pattern: '*finished/audio*', outputs: [{ format: 'hls' }] },
  { what: 'a file no picture can be taken from', tool: 'ffmpeg', pattern: '*mjpeg*', outputs: [] },
] as const)('$what fails the job, and the upload is kept', async ({ tool, pattern, outputs }) => {
  const bytes = await readFile(await clips.make({ name: 'fine.mp4', seconds: 1 }))
  const tools = { ...testTools, [tool]: await failsOn(tool, pattern) }
  const { outcome, objects } = await encodeHere(bytes, {}, { request: { outputs, poster: true }, tools })
  expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'output_invalid', retry: true })
  expect([...objects.keys()]).toContain('sources/1/source')
})

test.each([
  {
    what: 'can not be started',
    said: 'ffprobe: error while loading shared libraries: libavdevice.so.58: cannot open shared object file',
    exitCode: 127,
  },
  { what: 'gets no open file', said: 'source: Too many open files', exitCode: 1 },
])('an ffprobe that $what fails the job, but not for good, and the upload is kept', async (end) => {
  const bytes = await readFile(await clips.make({ name: 'fine.mp4', seconds: 1 }))
  const { outcome, objects } = await encodeHere(
    bytes,
    {},
    { tools: { ...testTools, ffprobe: await failsOn('ffprobe', '*', end) } },
  )
  expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'encoder_crashed', retry: true })
  expect([...objects.keys()]).toEqual(['sources/1/source'])
})

/** An ffprobe that does not see the last picture of an output. */
async function shortSighted(): Promise<string> {
  const path = join(clips.directory, 'ffprobe-short')
  const script = `#!/bin/sh
case "$*" in
*packet=*encoded/*|*packet=*finished/*) '${testTools.ffprobe}' "$@" | awk '!/stream_index=0/ { print; next } seen { print last } { last = $0; seen = 1 }' ;;
*) exec '${testTools.ffprobe}' "$@" ;;
esac
`
  await writeFile(path, script)
  await chmod(path, 0o755)
  return path
}

test.each([
  { what: 'a file', request: { quality: '720p' } },
  { what: 'a stream', request: { outputs: [{ format: 'hls', height: 120 }] } },
])('$what that lacks a picture fails the job, though it may be stored by then', async ({ request }) => {
  const bytes = await readFile(await clips.make({ name: 'clip.mp4', seconds: 1 }))
  const tools = { ...testTools, ffprobe: await shortSighted() }
  const { outcome, progress } = await encodeHere(bytes, {}, { request, tools })
  expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'output_invalid', retry: true })
  expect(progress.map(({ phase }) => phase)).not.toContain('publishing')
})

/** Matroska that says it is so long (Duration, RFC 9559, 5.1.2.10), in milliseconds, whatever is in it. */
async function announcing(seconds: number, path: string): Promise<Buffer> {
  const bytes = await readFile(path)
  const at = bytes.indexOf(Buffer.from('448988', 'hex'))
  if (at < 0) throw new Error('no Duration')
  bytes.writeDoubleBE(1000 * seconds, at + 3)
  return bytes
}

test('Matroska whose last picture stands still is whole, and so is a part of it', async () => {
  const still = await announcing(10, await clips.make({ name: 'still.mkv', seconds: 2, sound: false }))
  for (const { request, frameCount } of [
    { request: {}, frameCount: 50 },
    { request: { trim: { start: 1, end: 5 } }, frameCount: 25 },
  ]) {
    const { outcome } = await encodeHere(still, {}, { request })
    expect(outcome).toMatchObject({ kind: 'succeeded', result: { outputs: [{ frameCount }] } })
  }
  const missing = Math.floor(still.length * 0.6)
  for (const bytes of [still.subarray(0, missing), Buffer.from(still).fill(0, missing)]) {
    const { outcome } = await encodeHere(bytes)
    expect(outcome, 'cut off').toMatchObject({ kind: 'failed', errorCode: 'invalid_media', retry: false })
  }
})

/** PCM: no samples that AAC puts in front, and so no picture that fills a stream before the first one. */
const pcm = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'pcm_s16le']
const outlasted = { picture: 'testsrc2=size=64x36:rate=25:duration=2', seconds: 6 }
const streamed = [{ format: 'hls' }]
const mute = [{ format: 'mp4', audio: false }]

test.each([
  { what: 'a stream', outputs: streamed, name: 'streamed.mp4' },
  { what: 'a file without sound', outputs: mute, name: 'mute.mp4' },
  { what: 'a stream from Matroska', outputs: streamed, name: 'streamed.mkv' },
  { what: 'a file without sound from Matroska', outputs: mute, name: 'mute.mkv' },
  { what: 'a file without sound from AVI', outputs: mute, name: 'mute.avi' },
])('$what comes of a video whose sound goes on after its picture', async ({ outputs, name }) => {
  const options = name.endsWith('mp4') ? h264 : pcm
  const bytes = await readFile(await clips.make({ name, ...outlasted, options }))
  const { outcome } = await encodeHere(bytes, {}, { request: { outputs } })
  expect(outcome).toMatchObject({
    kind: 'succeeded',
    result: { outputs: expect.arrayContaining([expect.objectContaining({ frameCount: 50 })]) },
  })
})

test.each([
  { what: 'a picture that begins after its sound', shift: 'picture' },
  { what: 'a sound that begins after its picture', shift: 'sound' },
])('$what makes a file without it whole', async ({ shift }) => {
  const path = await clips.make({ name: 'together.mkv', seconds: 2 })
  const later = join(clips.directory, `${shift}-later.mkv`)
  await testFfmpeg([
    ...['-v', 'error', '-y', '-i', path, '-itsoffset', '3', '-i', path],
    ...['-map', shift === 'picture' ? '1:v' : '0:v', '-map', shift === 'picture' ? '0:a' : '1:a'],
    ...['-c', 'copy', later],
  ])
  const { outcome } = await encodeHere(await readFile(later), {}, { request: { outputs: mute } })
  expect(outcome).toMatchObject({ kind: 'succeeded', result: { outputs: [{ frameCount: 50 }] } })
})

test.each([
  { what: 'Matroska', name: 'cut.mkv', recipe: { seconds: 4 } },
  { what: 'Matroska whose sound would have gone on', name: 'cut-sound.mkv', recipe: outlasted },
])('$what that was cut off is refused where the picture alone is encoded, too', async ({ name, recipe }) => {
  const bytes = await readFile(await clips.make({ name, ...recipe }))
  for (const outputs of [streamed, mute]) {
    const { outcome } = await encodeHere(bytes.subarray(0, bytes.length * 0.6), {}, { request: { outputs } })
    expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'invalid_media', retry: false })
  }
})

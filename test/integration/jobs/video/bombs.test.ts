/** Small files that unfold to days of work or to more memory than there is: each ends at a limit, and soon. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, inject, test } from 'vitest'
import { runFor } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const directory = await mkdtemp(join(inject('backend').directory, 'bombs-'))
afterAll(() => rm(directory, { recursive: true, force: true }))

async function ffmpeg(...options: string[]): Promise<Uint8Array> {
  await runFor(directory, ['-v', 'error', '-y', ...options])
  return await readFile(join(directory, options.at(-1) ?? ''))
}

async function expectLimit(bytes: Uint8Array, limit: string): Promise<void> {
  const { outcome, logs } = await encodeHere(bytes)
  expect(outcome).toMatchObject({
    kind: 'failed',
    errorCode: 'limit_exceeded',
    retry: false,
    details: { limit },
  })
  expect(logs.map(({ text }) => text)).not.toContain('encoding')
}

test('an hour of one colour in 8 megapixels', async () => {
  const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
  await ffmpeg('-f', 'lavfi', '-i', 'color=red:size=3840x2160:rate=30:duration=6', ...x264, 'seconds.mp4')
  const hour = await ffmpeg('-stream_loop', '599', '-i', 'seconds.mp4', '-c', 'copy', 'hour.mp4')
  expect(hour.length).toBeLessThan(40_000_000)
  await expectLimit(hour, 'pixelsPerByte')
})

test('a hundred thousand pictures in a GIF', async () => {
  await expectLimit(gif({ width: 4000, height: 3000, pictures: 100_000 }), 'pixelsPerByte')
})

test.each([
  { what: 'a GIF', bytes: gif({ width: 65_535, height: 65_535, pictures: 2 }) },
  {
    what: 'YUV4MPEG',
    bytes: Buffer.from(`YUV4MPEG2 W60000 H60000 F25:1 Ip A1:1 C420\nFRAME\n${'x'.repeat(1000)}`),
  },
])('pictures of four gigapixels that $what announces', async ({ bytes }) => {
  const { outcome } = await encodeHere(bytes)
  expect(outcome).toMatchObject({ kind: 'failed', retry: false })
  // Some readers refuse such a size themselves.
  expect(outcome.kind === 'failed' && outcome.errorCode).toMatch(/^(limit_exceeded|invalid_media)$/)
})

test('sound whose times jump, in a container that does not say how long it is', async () => {
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=25:duration=0.4']
  const tone = ['-f', 'lavfi', '-i', 'sine=duration=0.4', '-af', "asetpts='PTS+gte(N,5)*60/TB'"]
  const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'pcm_s16le']
  const jumps = await ffmpeg(...picture, ...tone, ...x264, '-live', '1', 'jumps.mkv')
  const { outcome } = await encodeHere(jumps, { durationSeconds: 10 })
  expect(outcome).toMatchObject({
    errorCode: 'limit_exceeded',
    details: { limit: 'durationSeconds', bound: 10 },
  })
})

/** Pictures of one pixel each on a canvas that all of them show (GIF89a). */
function gif({ width, height, pictures }: { width: number; height: number; pictures: number }): Uint8Array {
  const canvas = Buffer.from('GIF89a\0\0\0\0\x80\0\0\0\0\0\xff\xff\xff', 'latin1')
  canvas.writeUInt16LE(width, 6)
  canvas.writeUInt16LE(height, 8)
  const control = '\x21\xf9\x04\0\x01\0\0\0'
  const picture = '\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0'
  return Buffer.concat([canvas, Buffer.from(`${(control + picture).repeat(pictures)}\x3b`, 'latin1')])
}

test('outputs beyond what the worker allows', async () => {
  const noise = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=2,noise=alls=90:allf=t']
  const source = await ffmpeg(...noise, '-c:v', 'mpeg4', '-q:v', '2', 'noise.avi')
  const { outcome, objects } = await encodeHere(source, { outputBytes: 50_000 })
  expect(outcome).toMatchObject({
    errorCode: 'limit_exceeded',
    details: { limit: 'outputBytes', bound: 50_000 },
  })
  expect([...objects.keys()].filter((key) => key.startsWith('outputs/'))).toEqual([])
})

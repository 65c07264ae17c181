import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { contents, qualityOf } from '../../../../scripts/video-quality.ts'
import { testClips, testTools } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()
const sources = contents('320x180', 1)

/**
 * A little below what was measured with FFmpeg of 2018 and 5.1, which differ by less: about what one step of constant
 * quality costs. Better pictures must not come of larger files.
 */
const bounds: { content: string; ssim: number; psnr: number; sizeBytes: number }[] = [
  { content: 'moving graphics', ssim: 0.9945, psnr: 43.3, sizeBytes: 39_000 },
  { content: 'fine detail', ssim: 0.985, psnr: 37.6, sizeBytes: 160_000 },
  { content: 'film grain', ssim: 0.935, psnr: 37.9, sizeBytes: 17_000 },
  { content: 'a dark gradient', ssim: 0.9982, psnr: 57.2, sizeBytes: 6000 },
]

test.each(bounds)('$content is as near to the source as it was, at the same size', async (bound) => {
  const { content } = bound
  const picture = sources[content]
  if (picture === undefined) throw new Error(`no source for ${content}`)
  const options = ['-c:v', 'ffv1', '-pix_fmt', 'yuv420p']
  const source = await clips.make({ name: 'source.mkv', picture, seconds: 1, sound: false, options })
  const { objects, outcome } = await encodeHere(await readFile(source))
  const [output] = [...objects].filter(([key]) => key.startsWith('outputs/')).map(([, bytes]) => bytes)
  if (output === undefined) throw new Error(JSON.stringify(outcome))
  const encoded = join(clips.directory, 'encoded.mp4')
  await Bun.write(encoded, output)
  const quality = await qualityOf(testTools.ffmpeg, encoded, source)
  expect(quality.ssim).toBeGreaterThanOrEqual(bound.ssim)
  expect(quality.psnr).toBeGreaterThanOrEqual(bound.psnr)
  expect(output.length).toBeLessThanOrEqual(bound.sizeBytes)
})

test('a video that lost a tenth of a second is told from its source', async () => {
  const graphics = sources['moving graphics']
  const make = (name: string, picture: string) =>
    clips.make({ name, picture, seconds: 1, sound: false, options: ['-c:v', 'ffv1'] })
  const source = await make('whole.mkv', String(graphics))
  const late = await make('late.mkv', `${graphics},trim=start=0.1`)
  expect((await qualityOf(testTools.ffmpeg, late, source)).ssim).toBeLessThan(0.9)
})

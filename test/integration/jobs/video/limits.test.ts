import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { VideoLimits } from '../../../../core/job.ts'
import { testClips } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()

test.each<{ limit: keyof VideoLimits; bound: number; value: number }>([
  { limit: 'sizeBytes', bound: 1000, value: 1000 },
  { limit: 'durationSeconds', bound: 1, value: 2 },
  { limit: 'streams', bound: 1, value: 2 },
  { limit: 'pixels', bound: 50_000, value: 57_600 },
  { limit: 'frameRate', bound: 20, value: 25 },
  { limit: 'gigapixels', bound: 0.001, value: 0.002 },
])('a video beyond the limit of $limit is refused before anything of it is encoded', async (row) => {
  const { limit, bound, value } = row
  const clip = await readFile(await clips.make({ name: 'clip.mp4' }))
  const { outcome, logs, objects } = await encodeHere(clip, { [limit]: bound })
  expect(outcome).toMatchObject({
    kind: 'failed',
    errorCode: 'limit_exceeded',
    retry: false,
    details: { limit, bound },
  })
  if (outcome.kind === 'failed') expect(outcome.details?.value).toBeGreaterThanOrEqual(value)
  expect(logs.map(({ text }) => text)).not.toContain('encoding')
  expect([...objects.keys()], 'the source stays: other limits may be set').toEqual(['sources/1/source'])
})

test('a video whose pictures grow beyond the limit on the way is refused', async () => {
  const options = ['-c:v', 'mpeg2video', '-c:a', 'mp2']
  const small = await readFile(await clips.make({ name: 'small.ts', seconds: 1, options }))
  const large = await readFile(await clips.make({ name: 'large.ts', seconds: 1, size: '960x540', options }))
  const grows = Buffer.concat([small, large])
  expect((await encodeHere(grows, { pixels: 320 * 180 })).outcome).toMatchObject({
    errorCode: 'limit_exceeded',
    retry: false,
  })
  expect((await encodeHere(grows)).outcome, 'within the limit').toMatchObject({ kind: 'succeeded' })
})

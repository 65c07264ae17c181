/** Whether and how an encode is divided, told from what it asks children for. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { PartParams } from '../../../../jobs/video/segments/part.ts'
import { testClips } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()
const divide = async (path: string, limits = {}) =>
  await encodeHere(await readFile(path), limits, { request: { quality: '720p', segments: 3 } })

test('pieces of the pictures and the sound as a whole go to children, and what they store goes again', async () => {
  const { outcome } = await divide(await clips.make({ name: 'clip.mp4', seconds: 7 }))
  if (outcome.kind !== 'waits') throw new Error(`it ${outcome.kind}`)
  expect(outcome.onFailure).toBe('fail')
  expect(outcome.children.every(({ temporaryOutputs }) => temporaryOutputs)).toBe(true)
  const [sound, ...pieces] = outcome.children.map(({ params }) => PartParams.parse(params))
  expect(sound).toMatchObject({ piece: null, targets: [{ kind: 'stem' }] })
  expect(pieces.map(({ piece }) => [piece?.firstFrame, piece?.endFrame])).toEqual([
    [0, 50],
    [50, 100],
    [100, null],
  ])
})

test('a video beyond the limits is refused before any child is asked for', async () => {
  const path = await clips.make({ name: 'long.mp4', seconds: 7 })
  expect((await divide(path, { durationSeconds: 5 })).outcome).toMatchObject({ errorCode: 'limit_exceeded' })
})

test.each([
  { what: 'AVI', recipe: { name: 'clip.avi', options: ['-c:v', 'mpeg4'] }, because: /container/ },
  { what: 'less than two groups of pictures', recipe: { name: 'brief.mp4', seconds: 3 }, because: /short/ },
  {
    what: 'a file whose frames keep times of their own',
    recipe: {
      name: 'varying.mkv',
      options: ['-vf', "select='mod(n\\,5)'", '-vsync', 'vfr', '-c:v', 'mpeg4'],
    },
    because: /times of their own/,
  },
])('$what is encoded in one piece, and the result says why', async ({ recipe, because }) => {
  const { outcome } = await divide(await clips.make({ seconds: 5, sound: false, ...recipe }))
  expect(outcome).toMatchObject({
    kind: 'succeeded',
    result: { segments: { count: 1, because: expect.stringMatching(because) } },
  })
})

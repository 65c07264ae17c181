import { expect, test } from 'vitest'
import { contradictionsOf } from '../../../../core/encode/contradictions.ts'

type Request = Parameters<typeof contradictionsOf>[0]

const file = { format: 'mp4' } as const
const sizedFile = { ...file, height: 480 }
const stream = { format: 'hls' } as const
const sizedStream = { ...stream, height: 480 }

test.each<[string, Request]>([
  ['format', { outputs: [file], format: 'mp4' }],
  ['preset', { outputs: [file], preset: 'web' }],
  ['ladder', { outputs: [file, sizedStream], ladder: true }],
  ['ladder', { outputs: [stream], ladder: false }],
  ['quality', { outputs: [sizedFile, sizedStream], quality: '720p' }],
  ['quality', { outputs: [], quality: '720p' }],
  ['format', { preset: 'streaming', format: 'mp4' }],
  ['format', { preset: 'streaming', format: 'mp4', ladder: true }],
  ['format', { preset: 'webm', format: 'hls' }],
  ['format', { ladder: true, format: 'mp4' }],
  ['preset', { ladder: true, preset: 'web' }],
  ['ladder', { ladder: false, preset: 'streaming' }],
  ['ladder', { ladder: false, format: 'dash' }],
])('%s would go unheard in %o', (word, request) => {
  expect(contradictionsOf(request)).toEqual([{ path: [word], message: expect.any(String) }])
})

test.each<[Request]>([
  [{}],
  [{ quality: '720p', format: 'webm' }],
  [{ quality: '720p', ladder: true }],
  [{ quality: '1080p', preset: 'web' }],
  [{ preset: 'streaming', quality: '720p', ladder: true }],
  [{ preset: 'streaming', format: 'dash' }],
  [{ preset: 'webm', format: 'webm', ladder: true }],
  [{ preset: 'web', format: 'mp4', ladder: false }],
  [{ format: 'webm', ladder: true }],
  [{ format: 'hls', ladder: true }],
  [{ outputs: [file], quality: '720p' }],
  [{ outputs: [stream, sizedFile], quality: '720p', ladder: true }],
  [{ outputs: [sizedFile], quality: '720p', ladder: true }],
  [{ outputs: [file], ladder: false }],
])('all of %o is heard', (request) => {
  expect(contradictionsOf(request)).toEqual([])
})

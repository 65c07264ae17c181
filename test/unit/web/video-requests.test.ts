import { expect, test, vi } from 'vitest'

// The typed client beside these is made for the page that it is loaded by.
vi.stubGlobal('location', { origin: 'http://localhost' })
vi.stubGlobal('sessionStorage', { getItem: () => null })
const { heightsWithin, linesOf, requestFor, requestIn } = await import(
  '../../../web/views/videos/requests.ts'
)

test.each([
  ['video-h264-720p.mp4', { outputs: [{ format: 'hls', codec: 'h264', height: 720 }] }],
  ['vp9-480p.webm', { outputs: [{ format: 'webm', codec: 'vp9', height: 480 }] }],
  ['hevc-1080p.mp4', { outputs: [{ format: 'mp4', codec: 'hevc', height: 1080 }] }],
  ['1080p.mp4', { outputs: [{ format: 'mp4' }], quality: '1080p' }],
  ['720p.mp4', { outputs: [{ format: 'mp4' }], quality: '720p' }],
  ['4k.mp4', { outputs: [{ format: 'mp4' }], quality: '4k' }],
  ['audio-aac-1.mp4', null],
  ['poster.jpg', null],
])('%s is made again by %o', (name, request) => {
  expect(requestFor(name)).toEqual(request)
})

test('no size is offered that is larger than the source, and its own always is', () => {
  expect(heightsWithin(1080)).toEqual([1080, 720, 480, 360, 240, 144])
  expect(heightsWithin(100)).toEqual([100])
  expect(heightsWithin(500)).toEqual([500, 480, 360, 240, 144])
})

test.each([
  [1920, 1080, 1080],
  [1920, 800, 1080],
  [1080, 1920, 1080],
  [800, 1920, 1080],
  [640, 480, 480],
  [854, 480, 480],
])('a source of %i × %i is offered up to %i lines, as the encoder counts them', (width, height, lines) => {
  expect(linesOf({ width, height })).toBe(lines)
})

test('an addition once more asks for what it asked for, cut as it was, and not for its source', () => {
  const asked = { outputs: [{ format: 'mp4' }], quality: '720p', poster: true, trim: { start: 1 } }
  expect(requestIn({ ...asked, source: { key: 'a' }, filename: 'x' })).toEqual(asked)
})

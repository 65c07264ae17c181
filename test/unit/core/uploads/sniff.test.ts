import { expect, test } from 'vitest'
import { whyNotVideo } from '../../../../core/uploads/sniff.ts'

const streamTypes = {
  audio: '409e69f84d5bcf11a8fd00805f5c442b',
  video: 'c0ef19bc4d5bcf11a8fd00805f5c442b',
}

/** The head of a file of Windows Media (Advanced Systems Format, 3.1 and 3.3), up to the type of its first stream. */
function windowsMedia(first: keyof typeof streamTypes): Uint8Array {
  const head = Buffer.from('3026b2758e66cf11a6d900aa0062ce6c', 'hex')
  const properties = Buffer.from('9107dcb7b7a9cf118ee600c00c205365', 'hex')
  const size = Buffer.alloc(8)
  size.writeUInt32LE(78)
  const type = Buffer.from(streamTypes[first], 'hex')
  return Buffer.concat([head, Buffer.alloc(14), properties, size, type, Buffer.alloc(38)])
}

test.each(['audio', 'video'] as const)(
  'Windows Media that lists its %s first may be a video',
  async (first) => {
    expect(await whyNotVideo(windowsMedia(first))).toBeNull()
  },
)

test('what is surely no video is refused by its name', async () => {
  expect(await whyNotVideo(Buffer.from('%PDF-1.7\n'))).toContain('application/pdf')
})

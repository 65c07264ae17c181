import { describe, expect, test } from 'vitest'
import { withKeptAudio } from '../../../../core/encode/kept-audio.ts'
import type { OutputRequest } from '../../../../core/encode/options.ts'

const surround = { channels: 6 } as const
const mono = { channels: 1 } as const
const opus = { codec: 'opus' } as const

/** The audio of one added output. */
const kept = (wanted: OutputRequest, first: OutputRequest[]) => withKeptAudio([wanted], first)[0]?.audio

describe('an added output that names no audio', () => {
  const rows: {
    has: string
    wanted: OutputRequest
    first: OutputRequest[]
    audio: OutputRequest['audio']
  }[] = [
    {
      has: 'none where the stream has none',
      wanted: { format: 'hls', height: 480 },
      first: [{ format: 'hls', audio: false }],
      audio: false,
    },
    {
      has: 'that of DASH in HLS, which are one stream',
      wanted: { format: 'hls', height: 480 },
      first: [{ format: 'dash', audio: surround }],
      audio: surround,
    },
    {
      has: 'sound where only some sizes of the stream asked for it',
      wanted: { format: 'hls', height: 480 },
      first: [
        { format: 'hls', height: 720, audio: false },
        { format: 'hls', height: 360, audio: surround },
      ],
      audio: surround,
    },
    {
      has: 'that of the most channels, wherever the stream was asked for it',
      wanted: { format: 'hls', height: 480 },
      first: [
        { format: 'hls', height: 720, audio: mono },
        { format: 'dash', height: 360, audio: surround },
        { format: 'hls', height: 240 },
      ],
      audio: surround,
    },
    {
      has: 'the usual, which is stereo, where one size left it to that and another asked for mono',
      wanted: { format: 'hls', height: 480 },
      first: [
        { format: 'hls', height: 720 },
        { format: 'hls', height: 360, audio: mono },
      ],
      audio: undefined,
    },
    {
      has: 'one of the sounds as it is, where the stream has several codecs',
      wanted: { format: 'hls', height: 480 },
      first: [
        { format: 'hls', height: 720, audio: mono },
        { format: 'hls', codec: 'vp9', height: 720, audio: { ...opus, ...surround } },
      ],
      audio: mono,
    },
    {
      has: 'that of a file of its format',
      wanted: { format: 'webm', height: 480 },
      first: [
        { format: 'mp4', audio: surround },
        { format: 'webm', audio: mono },
        { format: 'hls', audio: false },
      ],
      audio: mono,
    },
    {
      has: 'that of the very file which it replaces',
      wanted: { format: 'mp4', codec: 'h264', height: 480 },
      first: [
        { format: 'mp4', audio: surround },
        { format: 'mp4', codec: 'hevc', height: 480, audio: mono },
        { format: 'mp4', height: 480, audio: false },
      ],
      audio: false,
    },
    {
      has: 'the usual where the video has nothing of its kind',
      wanted: { format: 'hls', height: 480 },
      first: [{ format: 'mp4', audio: false }],
      audio: undefined,
    },
  ]
  test.each(rows)('has $has', ({ wanted, first, audio }) => {
    expect(kept(wanted, first)).toEqual(audio)
  })

  test('is else as it was asked for', () => {
    const wanted: OutputRequest = { format: 'hls', codec: 'hevc', height: 480, crf: 30 }
    expect(withKeptAudio([wanted], [{ format: 'hls', audio: false }])).toEqual([{ ...wanted, audio: false }])
    expect(withKeptAudio([wanted], [{ format: 'hls' }])).toEqual([wanted])
  })
})

test.each([false, mono] as const)('an added output that names audio has that: %j', (audio) => {
  expect(kept({ format: 'hls', height: 480, audio }, [{ format: 'hls', audio: surround }])).toEqual(audio)
})

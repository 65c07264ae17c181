import { describe, expect, test } from 'vitest'
import { type FailedRun, failureOf } from '../../../../jobs/video/classify.ts'

const run: FailedRun = {
  tool: 'FFmpeg',
  exitCode: 1,
  signal: null,
  lastLines: [],
  command: 'ffmpeg -i source',
}

const cases: { what: string; run: Partial<FailedRun>; code: string; retry: boolean }[] = [
  { what: 'killed from outside', run: { signal: 'SIGKILL' }, code: 'killed', retry: true },
  { what: 'a fault of its own', run: { signal: 'SIGSEGV' }, code: 'encoder_crashed', retry: true },
  {
    what: 'an assertion of ffprobe',
    run: { tool: 'ffprobe', signal: 'SIGABRT' },
    code: 'encoder_crashed',
    retry: true,
  },
  {
    what: 'told to end',
    run: { exitCode: 255 },
    code: 'killed',
    retry: true,
  },
  {
    what: 'a full disk',
    run: { lastLines: ['av_interleaved_write_frame(): No space left on device', 'Conversion failed!'] },
    code: 'scratch_full',
    retry: true,
  },
  {
    what: 'a codec nobody decodes, before FFmpeg 6',
    run: { lastLines: ['Decoder (codec none) not found for input stream #0:0'] },
    code: 'unsupported_codec',
    retry: false,
  },
  {
    what: 'a codec nobody decodes, since FFmpeg 6',
    run: { lastLines: ['Decoding requested, but no decoder found for: none'] },
    code: 'unsupported_codec',
    retry: false,
  },
  {
    what: 'pictures that grow beyond the limit',
    run: {
      lastLines: [
        '[h264 @ 0x1] Picture size 16000x16000 exceeds specified max pixel count 36000000',
        'Error while decoding stream #0:0: Invalid data found when processing input',
      ],
    },
    code: 'limit_exceeded',
    retry: false,
  },
  {
    what: 'nothing that could be decoded',
    run: { lastLines: ['Error while decoding stream #0:0: Invalid data found when processing input'] },
    code: 'invalid_media',
    retry: false,
  },
  {
    what: 'one packet that could not be decoded, and then another end',
    run: {
      lastLines: [
        '[error] Error while decoding stream #0:0: Invalid data found when processing input',
        '[error] Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0',
        'Conversion failed!',
      ],
    },
    code: 'encoder_crashed',
    retry: true,
  },
  {
    what: 'an ffprobe that can not be started',
    run: {
      tool: 'ffprobe',
      exitCode: 127,
      lastLines: [
        'ffprobe: error while loading shared libraries: libavdevice.so.58: cannot open shared object file',
      ],
    },
    code: 'encoder_crashed',
    retry: true,
  },
  ...[
    'source: Too many open files',
    'source: Resource temporarily unavailable',
    'source: Permission denied',
  ].map((line) => ({
    what: `an ffprobe that says "${line}"`,
    run: { tool: 'ffprobe' as const, lastLines: [line] },
    code: 'encoder_crashed',
    retry: true,
  })),
  ...['source: Cannot allocate memory', 'source: Input/output error'].map((line) => ({
    what: `a file that asks for too much or ends too soon, of which ffprobe says "${line}",`,
    run: { tool: 'ffprobe' as const, lastLines: [line] },
    code: 'invalid_media',
    retry: false,
  })),
  {
    what: 'a file that ffprobe can not read, for whatever reason',
    run: { tool: 'ffprobe', lastLines: ['source: Operation not permitted'] },
    code: 'invalid_media',
    retry: false,
  },
  {
    what: 'more that can not be decoded than FFmpeg bears',
    run: { exitCode: 69, lastLines: ['[fatal] Conversion failed!'] },
    code: 'invalid_media',
    retry: false,
  },
  {
    what: 'a playlist',
    run: {
      lastLines: ["[hls] [error] Format not on whitelist 'mov'", '[error] file:source: Invalid argument'],
    },
    code: 'invalid_media',
    retry: false,
  },
  {
    what: 'sound that is no number',
    run: { lastLines: ['[aac] [error] Input contains (near) NaN/+-Inf', '[fatal] Conversion failed!'] },
    code: 'invalid_media',
    retry: false,
  },
  {
    what: 'nobody knows what',
    run: { lastLines: ['Conversion failed!'] },
    code: 'encoder_crashed',
    retry: true,
  },
]

test.each(cases)('$what is $code', ({ run: given, code, retry }) => {
  const error = failureOf({ ...run, ...given })
  expect(error).toMatchObject({ code, retry, details: { command: run.command } })
  expect(error.details.lastLines).toEqual(given.lastLines ?? [])
  expect(error.details).toMatchObject(
    given.signal ? { signal: given.signal } : { exitCode: given.exitCode ?? 1 },
  )
})

describe('a cut off index', () => {
  test.each(['FFmpeg', 'ffprobe'] as const)('is told as one by %s', (tool) => {
    const lastLines = ['[mov @ 0x1] moov atom not found', 'source: Invalid data found when processing input']
    expect(failureOf({ ...run, tool, lastLines }).message).toMatch(/its index is missing/)
  })
})

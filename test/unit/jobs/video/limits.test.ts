import { describe, expect, test } from 'vitest'
import { JobError, type VideoLimits } from '../../../../core/job.ts'
import { defaultJobLimits } from '../../../../core/job-limits.ts'
import { checkLimits } from '../../../../jobs/video/limits.ts'
import type { Media } from '../../../../jobs/video/probe.ts'

interface Video {
  width?: number
  height?: number
  seconds?: number
  frameRate?: number
  streams?: number
  bytes?: number
}

/** @returns what the video is refused for, or null */
function refusal(video: Video, limits: VideoLimits = defaultJobLimits.video): JobError | null {
  const { width = 1920, height = 1080, seconds = 60, frameRate = 25, streams = 2 } = video
  const frameCount = Math.round(seconds * frameRate)
  const media = {
    durationSeconds: seconds,
    streamCount: streams,
    // What a header says of the rate is not asked.
    video: { width, height, frameRate: 90_000, frameCount },
  } as Media
  try {
    checkLimits(media, video.bytes ?? seconds * 500_000, limits)
    return null
  } catch (error) {
    if (error instanceof JobError) return error
    throw error
  }
}

const hour = 3600
const refused: { what: string; video: Video; limit: keyof VideoLimits }[] = [
  { what: 'a file of 51 GiB', video: { bytes: 51 * 1024 ** 3 }, limit: 'sizeBytes' },
  { what: 'a video of 13 hours', video: { seconds: 13 * hour, frameRate: 1 }, limit: 'durationSeconds' },
  { what: 'a picture of 16K', video: { width: 15_360, height: 8640 }, limit: 'pixels' },
  { what: '1,000 pictures a second', video: { frameRate: 1000 }, limit: 'frameRate' },
  { what: 'a hundred streams', video: { streams: 100 }, limit: 'streams' },
  {
    what: 'five hours of 4K at 60 pictures a second',
    video: { width: 3840, height: 2160, seconds: 5 * hour, frameRate: 60 },
    limit: 'gigapixels',
  },
  {
    what: 'an hour of one colour in 4K, 100 bytes a picture',
    video: { width: 3840, height: 2160, seconds: hour, frameRate: 30, bytes: hour * 30 * 100 },
    limit: 'pixelsPerByte',
  },
  {
    what: '100,000 equal pictures of 4K in a GIF',
    video: { width: 3840, height: 2160, seconds: 1000, frameRate: 100, bytes: 20_000_000 },
    limit: 'pixelsPerByte',
  },
]

test.each(refused)('$what is refused for good, with limit, value and bound', ({ video, limit }) => {
  const bound = defaultJobLimits.video[limit]
  const error = refusal(video)
  expect(error).toMatchObject({ code: 'limit_exceeded', retry: false, details: { limit, bound } })
  const { value } = error?.details ?? {}
  expect(value).toBeGreaterThan(bound)
  expect(error?.message).toContain(`${value} `)
  expect(error?.message).toContain(`; ${bound} are allowed.`)
  expect(refusal(video, { ...defaultJobLimits.video, [limit]: value }), 'with a higher limit').toBeNull()
})

describe('what people film and record is taken', () => {
  test.each<Video & { what: string }>([
    { what: 'a minute of 8K', width: 8192, height: 4320 },
    { what: 'a lecture of eight hours', seconds: 8 * hour },
    { what: 'slow motion of 240 pictures a second', frameRate: 240 },
    { what: 'three hours of 4K at 50', width: 3840, height: 2160, seconds: 3 * hour, frameRate: 50 },
    {
      what: 'two hours of a still screen, 500 bytes a picture',
      seconds: 2 * hour,
      bytes: 2 * hour * 25 * 500,
    },
    { what: 'three pictures in a moment', seconds: 0.001, frameRate: 3000 },
  ])('$what', (video) => {
    expect(refusal(video)).toBeNull()
  })
})

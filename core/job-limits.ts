/** What the configuration allows every job, beside the limits that its definition sets. */
import type { Config } from './config.ts'
import type { JobLimits } from './job.ts'

/** Room for 8K (8192 by 4320), half a day, and three hours of 4K at 60 frames a second. */
export const defaultJobLimits: JobLimits = {
  slots: 1,
  stallSeconds: 300,
  allowedHosts: [],
  video: {
    sizeBytes: 50 * 1024 ** 3,
    durationSeconds: 12 * 3600,
    pixels: 36_000_000,
    frameRate: 300,
    streams: 64,
    gigapixels: 6000,
    pixelsPerByte: 20_000,
    outputBytes: 100 * 1024 ** 3,
  },
}

export function jobLimitsOf(config: Config): JobLimits {
  return {
    slots: config.MAX_CONCURRENT_EXECUTIONS,
    stallSeconds: config.STALL_SECONDS,
    allowedHosts: config.JOB_ALLOWED_HOSTS,
    video: {
      sizeBytes: config.MAX_UPLOAD_BYTES,
      durationSeconds: config.VIDEO_MAX_SECONDS,
      pixels: config.VIDEO_MAX_PIXELS,
      frameRate: config.VIDEO_MAX_FRAME_RATE,
      streams: config.VIDEO_MAX_STREAMS,
      gigapixels: config.VIDEO_MAX_GIGAPIXELS,
      pixelsPerByte: config.VIDEO_MAX_PIXELS_PER_BYTE,
      outputBytes: config.VIDEO_MAX_OUTPUT_BYTES,
    },
  }
}

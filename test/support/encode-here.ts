/** Encodes a video in the process of the test: no server, so hundreds of them cost little. */
import type { VideoLimits } from '../../core/job.ts'
import { defaultJobLimits } from '../../core/job-limits.ts'
import { type JobRun, type RunJobOptions, runJob } from '../../core/testing/run-job.ts'
import encodeVideo from '../../jobs/encode.video.ts'
import { probeFfmpeg } from '../../worker/ffmpeg-capabilities.ts'
import { testTools } from './clips.ts'

/** As a worker hands them to its jobs: asked once what FFmpeg can do. Another FFmpeg in its place is asked by the job. */
export const knownTools = { ...testTools, known: (await probeFfmpeg(testTools)).known }

const key = 'sources/1/source'

interface Wanted extends Pick<RunJobOptions, 'scratchRoot' | 'signal' | 'tools'> {
  /** What is asked for. */
  request?: object
  /** What is in storage beside the source, by key. */
  objects?: Record<string, Uint8Array>
}

export async function encodeHere(
  bytes: Uint8Array,
  limits: Partial<VideoLimits> = {},
  { request = { quality: '720p' }, objects = {}, tools, ...options }: Wanted = {},
): Promise<JobRun> {
  return await runJob(
    encodeVideo,
    { source: { key }, ...request },
    {
      tools: { ...knownTools, ...tools },
      ...options,
      limits: { ...defaultJobLimits, stallSeconds: 60, video: { ...defaultJobLimits.video, ...limits } },
      objects: { [key]: bytes, ...objects },
    },
  )
}

/** Encodes a video in the process of the test: no server, so hundreds of them cost little. */
import type { VideoLimits } from '../../core/job.ts'
import { defaultJobLimits } from '../../core/job-limits.ts'
import { type JobRun, type RunJobOptions, runJob } from '../../core/testing/run-job.ts'
import encodeVideo from '../../jobs/encode.video.ts'
import { testTools } from './clips.ts'

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
  { request = { quality: '720p' }, objects = {}, ...options }: Wanted = {},
): Promise<JobRun> {
  return await runJob(
    encodeVideo,
    { source: { key }, ...request },
    {
      tools: testTools,
      ...options,
      limits: { ...defaultJobLimits, stallSeconds: 60, video: { ...defaultJobLimits.video, ...limits } },
      objects: { [key]: bytes, ...objects },
    },
  )
}

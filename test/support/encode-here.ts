/** Encodes a video in the process of the test: no server, so hundreds of them cost little. */
import type { VideoLimits } from '../../core/job.ts'
import { defaultJobLimits } from '../../core/job-limits.ts'
import { type JobRun, type RunJobOptions, runJob } from '../../core/testing/run-job.ts'
import encodeVideo from '../../jobs/encode.video.ts'
import { testTools } from './clips.ts'

const key = 'sources/1/source'

export async function encodeHere(
  bytes: Uint8Array,
  limits: Partial<VideoLimits> = {},
  options: Pick<RunJobOptions, 'scratchRoot' | 'signal'> = {},
): Promise<JobRun> {
  return await runJob(
    encodeVideo,
    { source: { key }, quality: '720p' },
    {
      ...options,
      tools: testTools,
      limits: { ...defaultJobLimits, stallSeconds: 60, video: { ...defaultJobLimits.video, ...limits } },
      objects: { [key]: bytes },
    },
  )
}

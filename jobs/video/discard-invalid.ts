/** A source that can never be encoded is of no use to anybody: it goes, and its uploader can read why. */
import { type JobContext, JobError } from '../../core/job.ts'
import type { VideoSource } from './source.ts'

export async function discardInvalid<Result>(
  source: VideoSource,
  { storage }: Pick<JobContext, 'storage'>,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof JobError && error.code === 'invalid_media' && 'key' in source) {
      await storage.discard(source.key, error.message)
    }
    throw error
  }
}

/**
 * A source that can never be encoded is of no use to anybody: it goes, and its uploader can read why. A part of a divided
 * encode says so by itself: its parent fails with the first child that does, and to look at the ends of all it would have
 * to let the others go on in vain. Only the parent can ask for parts, of a source that it has probed, so that one which
 * can't be decoded tells of the source, not of what somebody asked for.
 */
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

/**
 * What a tool finds wrong with a file that we made ourselves says nothing of the source. Told as a verdict on it, it
 * would cost its uploader the upload (discard-invalid.ts).
 */
import { JobError } from '../../core/job.ts'

/** @param run of a tool that reads nothing but our own files; @throws JobError output_invalid in place of invalid_media */
export async function onOurs<Result>(run: Promise<Result>): Promise<Result> {
  try {
    return await run
  } catch (error) {
    if (!(error instanceof JobError) || error.code !== 'invalid_media') throw error
    const message = `What was encoded can not be used: ${error.message}`
    throw new JobError('output_invalid', message, { details: error.details, cause: error })
  }
}

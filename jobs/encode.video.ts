/** Encodes a video for playback anywhere: files, streams in several sizes, and what belongs to them. */
import { z } from 'zod'
import { EncodeOptions, problemsOf } from '../core/encode/options.ts'
import { resolve } from '../core/encode/wish.ts'
import { defineJob, JobError } from '../core/job.ts'
import { encodeVideo } from './video/encode.ts'
import { VideoSource } from './video/source.ts'

export default defineJob({
  key: 'encode.video',
  timeoutSeconds: 6 * 3600,
  // A frame of 8K takes 50 MB, and x264 looks at many at once.
  memoryLimitMb: 16_384,
  params: EncodeOptions.extend({
    source: VideoSource,
    /** The client's name of the file. */
    filename: z.string().max(255).default('video'),
  }).superRefine((request, context) => {
    for (const problem of problemsOf(request)) context.addIssue({ code: 'custom', ...problem })
  }),
  async run({ source, filename, ...request }, context) {
    try {
      return await encodeVideo({ source, filename, wish: resolve(request) }, context)
    } catch (error) {
      if (error instanceof JobError && error.code === 'invalid_media' && 'key' in source) {
        await context.storage.discard(source.key, error.message)
      }
      throw error
    }
  },
})

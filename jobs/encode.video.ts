/** Encodes a video for playback anywhere: files, streams in several sizes, and what belongs to them. */
import { z } from 'zod'
import { EncodeOptions, problemsOf } from '../core/encode/options.ts'
import { resolve } from '../core/encode/wish.ts'
import { defineJob } from '../core/job.ts'
import { discardInvalid } from './video/discard-invalid.ts'
import { encodeVideo, joinVideo } from './video/encode.ts'
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
  run: ({ source, filename, ...request }, context) =>
    discardInvalid(source, context, () => encodeVideo({ source, filename, wish: resolve(request) }, context)),
  onChildren: ({ source, filename }, context, children) =>
    discardInvalid(source, context, () => joinVideo(filename, context, children)),
})

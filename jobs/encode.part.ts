/** Encodes a part of a video, for an `encode.video` that divided its work: a piece of the pictures, or all of the sound. */
import { defineJob } from '../core/job.ts'
import { discardInvalid } from './video/discard-invalid.ts'
import { encodePart } from './video/segments/encode-part.ts'
import { PartParams } from './video/segments/part.ts'

export default defineJob({
  key: 'encode.part',
  timeoutSeconds: 6 * 3600,
  // As for a whole video: the pictures are as large.
  memoryLimitMb: 16_384,
  params: PartParams,
  run: (params, context) => discardInvalid(params.source, context, () => encodePart(params, context)),
})

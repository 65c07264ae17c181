/** Gives the parts of an encode to children, and keeps what the attempt after them has to know. */
import type { JobContext, JsonObject } from '../../../core/job.ts'
import type { EncodePlan } from '../plan.ts'
import type { Extras } from '../prepare.ts'
import type { Media } from '../probe.ts'
import type { PartParams } from './part.ts'

/** Of the job that divided the video, for itself. */
export interface DividedEncode {
  media: Media
  plan: EncodePlan
  /** Of the source. */
  sizeBytes: number
  /** When its first frame is shown. */
  phaseSeconds: number
  /** Earlier releases have not kept it. */
  skipped?: Extras['skipped']
}

export function startParts(
  parts: PartParams[],
  encode: Omit<DividedEncode, 'phaseSeconds'>,
  context: JobContext,
): never {
  const pieces = parts.flatMap(({ piece }) => piece ?? [])
  const phaseSeconds = pieces[0]?.phaseSeconds ?? 0
  context.saveCheckpoint({ ...encode, phaseSeconds } as unknown as JsonObject)
  context.event('divided', { pieces: pieces.length, parts: parts.length })
  context.enqueueChildren(
    parts.map((params) => ({ definitionKey: 'encode.part', params: { ...params }, temporaryOutputs: true })),
  )
}

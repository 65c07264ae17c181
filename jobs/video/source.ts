/** Where a video comes from: an object of our storage, or the address of a user. */
import { z } from 'zod'
import { reachOf } from '../../core/addresses.ts'
import type { JobContext } from '../../core/job.ts'

export const VideoSource = z.union([
  z.object({ key: z.string().min(1).max(1024) }),
  z.object({ url: z.url({ protocol: /^https?$/ }).max(2000) }),
])
export type VideoSource = z.output<typeof VideoSource>

/** Brings it to a file of the scratch directory. @throws JobError as `JobStorage.download` and `guardedDownload` */
export async function fetchSource(
  source: VideoSource,
  path: string,
  { storage, signal, limits }: Pick<JobContext, 'storage' | 'signal' | 'limits'>,
): Promise<{ sizeBytes: number }> {
  if ('key' in source) return await storage.download(source.key, path)
  // Not on top: Node's HTTP client takes longer to load than all the rest of an encode.
  const { guardedDownload } = await import('../http/guarded-download.ts')
  return await guardedDownload(source.url, path, {
    signal,
    mayReach: reachOf(limits.allowedHosts),
    stallSeconds: limits.stallSeconds,
    maxBytes: limits.video.sizeBytes,
  })
}

/** Stores verified outputs. They are visible to nobody until the job has succeeded with a result that names them. */
import type { JobStorage } from '../../core/job.ts'
import type { FinishedOutput } from './finish.ts'

/** @throws JobError storage_unavailable */
export async function publish(
  outputs: FinishedOutput[],
  storage: JobStorage,
  onProgress: (share: number) => void,
) {
  const published = []
  for (const [index, { kind, name, path, contentType, playlist, about }] of outputs.entries()) {
    onProgress(index / outputs.length)
    const stored = await storage.upload(path, { name, contentType })
    const listed =
      playlist === undefined
        ? {}
        : { playlistKey: (await storage.upload(playlist.path, { ...playlist, contentType: hlsType })).key }
    published.push({ kind, name, contentType, ...about, ...stored, ...listed })
  }
  return published
}

const hlsType = 'application/vnd.apple.mpegurl'

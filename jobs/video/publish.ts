/** Stores what is left to store of verified outputs, and says where each is: by the job's result they become visible. */
import type { FinishedOutput } from './finish.ts'
import type { OutputUploads } from './output-uploads.ts'

/** @throws JobError storage_unavailable */
export async function publish(
  outputs: FinishedOutput[],
  uploads: Pick<OutputUploads, 'upload'>,
  onProgress: (share: number) => void,
) {
  const published = []
  for (const [index, { kind, name, path, contentType, playlist, about }] of outputs.entries()) {
    onProgress(index / outputs.length)
    const stored = await uploads.upload(path, { name, contentType })
    const listed =
      playlist === undefined
        ? {}
        : { playlistKey: (await uploads.upload(playlist.path, { ...playlist, contentType: hlsType })).key }
    published.push({ kind, name, contentType, ...about, ...stored, ...listed })
  }
  return published
}

const hlsType = 'application/vnd.apple.mpegurl'

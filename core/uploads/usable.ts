/** An upload that is about to be used by a job: as a video, or as a picture to lay over one. */
import type { Sql } from '../db.ts'
import { InvalidMedia, SourceGone, UploadNotUsable } from '../errors.ts'
import { readUpload } from './read.ts'
import type { Upload } from './row.ts'
import { isPictureType } from './sniff.ts'

/**
 * @param options.isRepeated the request that names it was made before: it need not be usable any more
 * @throws UploadNotFound, UploadNotUsable when it is not completed, SourceGone when its bytes are no longer kept,
 *   InvalidMedia when it is the other kind
 */
export async function usableUpload(
  sql: Sql,
  uploadId: string,
  { as, isRepeated }: { as: 'video' | 'picture'; isRepeated: boolean },
): Promise<Upload> {
  const upload = await readUpload(sql, uploadId)
  if (isRepeated) return upload
  if (upload.status !== 'completed') throw new UploadNotUsable(uploadId, upload.status)
  if (upload.bytesRemovedAt !== null) throw new SourceGone(`Upload ${uploadId}`)
  if (isPictureType(upload.contentType) === (as === 'picture')) return upload
  throw new InvalidMedia(`Upload ${uploadId} is ${upload.contentType}, not a ${as}.`)
}

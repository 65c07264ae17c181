/** An upload that is about to be used by a job: as a video, or as a picture to lay over one. */
import type { Sql } from '../db.ts'
import { InvalidMedia, SourceGone, UploadNotUsable } from '../errors.ts'
import { readUpload } from './read.ts'
import type { Upload } from './row.ts'
import { isPictureType } from './sniff.ts'

/**
 * @throws UploadNotFound, UploadNotUsable when it is not completed, SourceGone when its bytes are no longer kept,
 *   InvalidMedia when it is the other kind
 */
export async function usableUpload(sql: Sql, uploadId: string, as: 'video' | 'picture'): Promise<Upload> {
  const upload = await readUpload(sql, uploadId)
  if (upload.status !== 'completed') throw new UploadNotUsable(uploadId, upload.status)
  if (upload.bytesRemovedAt !== null) throw new SourceGone(`Upload ${uploadId}`)
  if (isPictureType(upload.contentType) === (as === 'picture')) return upload
  throw new InvalidMedia(`Upload ${uploadId} is ${upload.contentType}, not a ${as}.`)
}

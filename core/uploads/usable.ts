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
  requireKind(upload, as)
  return upload
}

/** What lies under the key may have come by another way, of which nothing is known. @throws InvalidMedia */
export async function refusePicture(sql: Sql, objectKey: string): Promise<void> {
  // uploads_object_key_unique
  const [upload] = await sql<Pick<Upload, 'id' | 'contentType'>[]>`
    select id, content_type from job_server.uploads where object_key = ${objectKey}`
  if (upload !== undefined) requireKind(upload, 'video')
}

function requireKind({ id, contentType }: Pick<Upload, 'id' | 'contentType'>, as: 'video' | 'picture'): void {
  if (isPictureType(contentType) === (as === 'picture')) return
  throw new InvalidMedia(`Upload ${id} is ${contentType}, not a ${as}.`)
}

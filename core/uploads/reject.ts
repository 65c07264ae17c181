/** Gives up an upload whose bytes can't become a video, and removes them. */
import type { Sql } from '../db.ts'
import type { Storage } from '../storage/client.ts'
import { removeBytes } from './remove-bytes.ts'
import type { Upload } from './row.ts'

/**
 * @param upload by its id, or by its object key, which is all that jobs know: they take it for a video, so that a picture
 *   (`isPictureType`), which is no worse for being none, stays
 * @param error a sentence for people
 */
export async function rejectUpload(
  sql: Sql,
  storage: Storage,
  upload: { id: string } | { objectKey: string },
  error: string,
): Promise<void> {
  // uploads_pk or uploads_object_key_unique
  const which =
    'id' in upload
      ? sql`id = ${upload.id}`
      : sql`object_key = ${upload.objectKey} and content_type not like 'image/%'`
  const [rejected] = await sql<Pick<Upload, 'objectKey' | 'multipartId'>[]>`
    update job_server.uploads set status = 'errored', error = ${error}, ended_at = now()
    where ${which} and status in ('waiting', 'completed', 'errored')
    returning object_key, multipart_id`
  if (rejected !== undefined) await removeBytes(storage, rejected)
}

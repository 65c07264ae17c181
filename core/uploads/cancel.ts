/** Cancels an upload that still waits, and removes its bytes. */
import type { Sql } from '../db.ts'
import { UploadNotUsable } from '../errors.ts'
import type { Storage } from '../storage/client.ts'
import { readUpload } from './read.ts'
import { removeBytes } from './remove-bytes.ts'
import { type Upload, uploadColumns } from './row.ts'

/**
 * Cancelling twice is no error. What a link that is still alive delivers afterwards is removed by upkeep.
 * @throws UploadNotFound, UploadNotUsable when it has been completed or its time ran out
 */
export async function cancelUpload(sql: Sql, storage: Storage, uploadId: string): Promise<Upload> {
  const [cancelled] = await sql<Upload[]>`
    update job_server.uploads set status = 'cancelled', ended_at = coalesce(ended_at, now())
    where id = ${uploadId} and (status = 'cancelled' or status = 'waiting' and expires_at > now())
    returning ${uploadColumns(sql)}`
  if (cancelled === undefined) {
    throw new UploadNotUsable(uploadId, (await readUpload(sql, uploadId)).status)
  }
  await removeBytes(storage, cancelled)
  return cancelled
}

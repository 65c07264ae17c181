/** Rows of `uploads` as the rest of the code knows them. */
import type { Sql } from '../db.ts'

/**
 *   waiting ──complete──► completed        waiting ──cancel──► cancelled
 *      │ expires_at passed                    │ bytes that can never become the video
 *      ▼                                      ▼
 *   timed_out                              errored
 */
type UploadStatus = 'waiting' | 'completed' | 'cancelled' | 'timed_out' | 'errored'

export interface Upload {
  id: string
  status: UploadStatus
  objectKey: string
  filename: string
  contentType: string
  /** Null while the API receives bytes whose number is not known. */
  sizeBytes: number | null
  /** Set when the upload goes in parts. */
  multipartId: string | null
  partSizeBytes: number | null
  createdAt: Date
  expiresAt: Date
  /** Null while they may still be there. */
  bytesRemovedAt: Date | null
  error: string | null
}

/** An upload past its time is `timed_out` from that moment on, not only once upkeep came by. */
export function uploadColumns(sql: Sql) {
  return sql`
    id, case when status = 'waiting' and expires_at <= now() then 'timed_out' else status end as status, object_key,
    filename, content_type, size_bytes::float8 as size_bytes, multipart_id,
    part_size_bytes::float8 as part_size_bytes, created_at, expires_at, bytes_removed_at,
    error`
}

/** What of an upload has arrived, and fresh links for the rest: after a broken line or a page that was reloaded. */
import type { Sql } from '../db.ts'
import { UploadNotUsable } from '../errors.ts'
import type { Storage } from '../storage/client.ts'
import { partSizes, presign, type Target } from './create.ts'
import { readUpload } from './read.ts'
import type { Upload } from './row.ts'

export interface PartProgress {
  /** From 1. */
  partNumber: number
  sizeBytes: number
  /** Whether it has arrived, and whole. */
  done: boolean
}

/** Null for an upload that does not go in parts, or of which nothing is awaited any more. */
export async function readParts(storage: Storage, upload: Upload): Promise<PartProgress[] | null> {
  const { objectKey, multipartId, partSizeBytes, sizeBytes, status } = upload
  if (status !== 'waiting' || multipartId === null || partSizeBytes === null || sizeBytes === null)
    return null
  const stored = new Map(
    (await storage.listParts(objectKey, multipartId))?.map((part) => [part.partNumber, part.sizeBytes]),
  )
  return partSizes(sizeBytes, partSizeBytes).map((size, index) => ({
    partNumber: index + 1,
    sizeBytes: size,
    done: stored.get(index + 1) === size,
  }))
}

/**
 * Links live until the upload's time is up, which resuming does not put off.
 * @throws UploadNotFound, UploadNotUsable when nothing is awaited any more
 */
export async function resumeUpload(
  sql: Sql,
  storage: Storage,
  uploadId: string,
): Promise<{ upload: Upload; target: Target }> {
  const upload = await readUpload(sql, uploadId)
  const { sizeBytes, contentType } = upload
  if (upload.status !== 'waiting' || sizeBytes === null) throw new UploadNotUsable(uploadId, upload.status)
  const [left] = await sql<{ seconds: number }[]>`
    select greatest(1, floor(extract(epoch from expires_at - now())))::int as seconds
    from job_server.uploads where id = ${uploadId}`
  const parts = (await readParts(storage, upload)) ?? []
  const done = new Set(parts.filter((part) => part.done).map(({ partNumber }) => partNumber))
  const request = { contentType, sizeBytes, expiresInSeconds: left?.seconds ?? 1 }
  return { upload, target: await presign(storage, upload, request, done) }
}

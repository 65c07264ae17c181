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
  return (await lookUpParts(storage, upload))?.parts ?? null
}

/**
 * Links live until the upload's time is up, which resuming does not put off. Where all parts have arrived there are
 * none: what is left to do is to complete the upload.
 * @throws UploadNotFound, UploadNotUsable when nothing is awaited any more, or the storage would take no part of it
 */
export async function resumeUpload(
  sql: Sql,
  storage: Storage,
  uploadId: string,
): Promise<{ upload: Upload; target: Target }> {
  const upload = await readUpload(sql, uploadId)
  const { sizeBytes, contentType } = upload
  if (upload.status !== 'waiting' || sizeBytes === null) throw new UploadNotUsable(uploadId, upload.status)
  const known = await lookUpParts(storage, upload)
  if (known?.isGone) throw new UploadNotUsable(uploadId, 'gone from the storage')
  const [left] = await sql<{ seconds: number }[]>`
    select greatest(1, floor(extract(epoch from expires_at - now())))::int as seconds
    from job_server.uploads where id = ${uploadId}`
  const done = new Set(known?.parts.filter((part) => part.done).map(({ partNumber }) => partNumber))
  const request = { contentType, sizeBytes, expiresInSeconds: left?.seconds ?? 1 }
  return { upload, target: await presign(storage, upload, request, done) }
}

/** `isGone`: the storage knows neither the parts nor what they make. */
async function lookUpParts(
  storage: Storage,
  { objectKey, multipartId, partSizeBytes, sizeBytes, status }: Upload,
): Promise<{ parts: PartProgress[]; isGone: boolean } | null> {
  if (status !== 'waiting' || multipartId === null || partSizeBytes === null || sizeBytes === null)
    return null
  const stored = await storage.listParts(objectKey, multipartId)
  // Parts are unknown, too, once a request has joined them that did not live to say so: then the object tells.
  const isJoined = stored === null && (await storage.head(objectKey))?.sizeBytes === sizeBytes
  const storedSizes = new Map(stored?.map((part) => [part.partNumber, part.sizeBytes]))
  const parts = partSizes(sizeBytes, partSizeBytes).map((size, index) => ({
    partNumber: index + 1,
    sizeBytes: size,
    done: isJoined || storedSizes.get(index + 1) === size,
  }))
  return { parts, isGone: stored === null && !isJoined }
}

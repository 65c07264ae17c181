/**
 * Opens an upload: the client gets presigned links and sends the bytes to storage itself.
 *
 * Up to 64 MiB go in one PUT; larger ones in parts, so that a broken connection costs one part and several can
 * run side by side. Links are bound to key, type and length.
 */
import { setImmediate } from 'node:timers/promises'
import type { Sql } from '../db.ts'
import { newId } from '../ids.ts'
import type { Storage } from '../storage/client.ts'
import { sourceKey } from '../storage/keys.ts'
import { partSizeFor } from '../storage/multipart.ts'
import { type Upload, uploadColumns } from './row.ts'

const singlePutBytes = 64 * 1024 ** 2
const signedAtOnce = 20

export interface UploadRequest {
  /** The client's name of the file: kept as metadata. */
  filename: string
  contentType: string
  sizeBytes: number
  /** How long links and upload live. */
  expiresInSeconds: number
}

interface PartLink {
  /** From 1. */
  partNumber: number
  sizeBytes: number
  url: string
}

/** The bytes are to be PUT to `url` with `headers`, or part by part to the links of `parts`. */
export type Target =
  | { kind: 'single'; url: string; headers: Record<string, string> }
  | { kind: 'parts'; parts: PartLink[] }

export async function createUpload(
  sql: Sql,
  storage: Storage,
  request: UploadRequest,
): Promise<{ upload: Upload; target: Target }> {
  const id = newId()
  const key = sourceKey(id)
  const { filename, contentType, sizeBytes, expiresInSeconds } = request
  const inParts = sizeBytes > singlePutBytes
  const multipartId = inParts ? await storage.createMultipart(key, { contentType }) : null
  const partSizeBytes = inParts ? partSizeFor(sizeBytes, singlePutBytes) : null
  try {
    const [upload] = await sql<Upload[]>`
      insert into job_server.uploads
        (id, object_key, filename, content_type, size_bytes, multipart_id, part_size_bytes, expires_at)
      values (
        ${id}, ${key}, ${filename}, ${contentType}, ${sizeBytes}, ${multipartId}, ${partSizeBytes},
        now() + make_interval(secs => ${expiresInSeconds})
      )
      returning ${uploadColumns(sql)}`
    if (upload === undefined) throw new Error('the upload was not written')
    return { upload, target: await presign(storage, upload, request) }
  } catch (error) {
    if (multipartId !== null) await storage.abortMultipart(key, multipartId)
    throw error
  }
}

/** @param done numbers of the parts that need no link */
export async function presign(
  storage: Storage,
  { objectKey, multipartId, partSizeBytes }: Upload,
  { contentType, sizeBytes, expiresInSeconds }: Omit<UploadRequest, 'filename'>,
  done: ReadonlySet<number> = new Set(),
): Promise<Target> {
  if (multipartId === null || partSizeBytes === null) {
    const options = { expiresInSeconds, contentType, sizeBytes, audience: 'client' } as const
    const url = await storage.presignPut(objectKey, options)
    return { kind: 'single', url, headers: { 'content-type': contentType } }
  }
  const missing = partSizes(sizeBytes, partSizeBytes)
    .map((size, index) => ({ partNumber: index + 1, sizeBytes: size }))
    .filter(({ partNumber }) => !done.has(partNumber))
  const parts: PartLink[] = []
  for (const [place, part] of missing.entries()) {
    // To sign a thousand takes a good part of a second, in which other requests want their turn.
    if (place % signedAtOnce === 0) await setImmediate()
    const options = { expiresInSeconds, audience: 'client', multipartId, ...part } as const
    parts.push({ ...part, url: await storage.presignPart(objectKey, options) })
  }
  return { kind: 'parts', parts }
}

/** The size of every part: all are `partSizeBytes` but the last. */
export function partSizes(sizeBytes: number, partSizeBytes: number): number[] {
  const count = Math.ceil(sizeBytes / partSizeBytes)
  return Array.from({ length: count }, (_, index) =>
    Math.min(partSizeBytes, sizeBytes - index * partSizeBytes),
  )
}

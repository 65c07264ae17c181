/**
 * Completes an upload: joins the parts, compares what lies in storage with what was announced, and only then
 * calls it complete. Completing twice, also at once, gives the same answer. What is missing can still be sent
 * until the upload's time is up.
 */
import type { Sql } from '../db.ts'
import { InvalidMedia, UploadIncomplete, UploadNotUsable } from '../errors.ts'
import type { Storage } from '../storage/client.ts'
import type { StoredPart } from '../storage/multipart.ts'
import { partSizes } from './create.ts'
import { readUpload } from './read.ts'
import { rejectUpload } from './reject.ts'
import { type Upload, uploadColumns } from './row.ts'
import { isPictureType, sniffBytes, whyNotPicture, whyNotVideo } from './sniff.ts'

/** @throws UploadNotFound, UploadNotUsable, UploadIncomplete, InvalidMedia */
export async function completeUpload(sql: Sql, storage: Storage, uploadId: string): Promise<Upload> {
  const upload = await readUpload(sql, uploadId)
  if (upload.status === 'completed') return upload
  if (upload.status !== 'waiting') throw new UploadNotUsable(uploadId, upload.status)
  await joinParts(storage, upload)
  const object = await storage.head(upload.objectKey)
  if (object === null) throw new UploadIncomplete(uploadId, 'no bytes have arrived.')
  if (object.sizeBytes !== upload.sizeBytes) {
    const detail = `${object.sizeBytes} bytes have arrived, ${upload.sizeBytes} were announced.`
    throw new UploadIncomplete(uploadId, detail)
  }
  await requireMedia(sql, storage, upload)
  const [completed] = await sql<Upload[]>`
    update job_server.uploads set status = 'completed', ended_at = now()
    where id = ${uploadId} and status = 'waiting' and expires_at > now()
    returning ${uploadColumns(sql)}`
  if (completed !== undefined) return completed
  // Somebody was faster, or the time ran out meanwhile.
  const now = await readUpload(sql, uploadId)
  if (now.status === 'completed') return now
  throw new UploadNotUsable(uploadId, now.status)
}

async function joinParts(storage: Storage, upload: Upload): Promise<void> {
  const { objectKey, sizeBytes, multipartId, partSizeBytes } = upload
  if (multipartId === null || partSizeBytes === null || sizeBytes === null) return
  const stored = await storage.listParts(objectKey, multipartId)
  // Joined before, by a request whose answer got lost: the object itself is what counts.
  if (stored === null) return
  const parts = requireAll(upload, partSizes(sizeBytes, partSizeBytes), stored)
  try {
    await storage.completeMultipart(objectKey, multipartId, parts)
  } catch (error) {
    // Another request may have joined them while we were at it. Stores answer that in ways of their own, but the
    // object is there then.
    const object = await storage.head(objectKey)
    if (object?.sizeBytes !== sizeBytes) throw error
  }
}

/** @throws InvalidMedia for what is surely no video, or no picture where one was announced; the upload is given up then */
async function requireMedia(
  sql: Sql,
  storage: Storage,
  { id, objectKey, contentType }: Upload,
): Promise<void> {
  const beginning = await storage.get(objectKey, `bytes=0-${sniffBytes - 1}`)
  if (beginning === null || beginning === 'unsatisfiable')
    throw new UploadIncomplete(id, 'no bytes are there.')
  const bytes = new Uint8Array(await new Response(beginning.body).arrayBuffer())
  const problem = await (isPictureType(contentType) ? whyNotPicture(bytes) : whyNotVideo(bytes))
  if (problem === null) return
  await rejectUpload(sql, storage, { id }, problem)
  throw new InvalidMedia(problem)
}

/** @throws UploadIncomplete that names the parts which are missing or have another size */
function requireAll(upload: Upload, expected: number[], stored: StoredPart[]): StoredPart[] {
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]))
  const problems: string[] = []
  const parts: StoredPart[] = []
  for (const [index, sizeBytes] of expected.entries()) {
    const part = byNumber.get(index + 1)
    if (part === undefined) problems.push(`part ${index + 1} is missing`)
    else if (part.sizeBytes !== sizeBytes) {
      problems.push(`part ${index + 1} has ${part.sizeBytes} bytes of ${sizeBytes}`)
    } else parts.push(part)
  }
  if (problems.length === 0) return parts
  const named = problems.slice(0, 5).join(', ')
  const rest = problems.length > 5 ? ` and ${problems.length - 5} more` : ''
  throw new UploadIncomplete(upload.id, `${named}${rest}.`)
}

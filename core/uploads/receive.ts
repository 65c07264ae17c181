/** Uploads whose bytes come through the API: recorded before the first byte, so that a crash leaves a trace. */
import type { Sql } from '../db.ts'
import { UploadNotUsable } from '../errors.ts'
import { newId } from '../ids.ts'
import { sourceKey } from '../storage/keys.ts'
import { readUpload } from './read.ts'
import { type Upload, uploadColumns } from './row.ts'

const patienceSeconds = 86_400

/** The bytes are to be written to the upload's `objectKey`; their number is not known yet. */
export async function beginReceiving(
  sql: Sql,
  file: { filename: string; contentType: string },
): Promise<Upload> {
  const id = newId()
  const [upload] = await sql<Upload[]>`
    insert into job_server.uploads (id, object_key, filename, content_type, expires_at)
    values (${id}, ${sourceKey(id)}, ${file.filename}, ${file.contentType}, now() + make_interval(secs => ${patienceSeconds}))
    returning ${uploadColumns(sql)}`
  if (upload === undefined) throw new Error('the upload was not written')
  return upload
}

/** That the bytes go in parts: should this process die, upkeep finds them by it. */
export async function noteParts(
  sql: Sql,
  uploadId: string,
  parts: { multipartId: string; partSizeBytes: number },
): Promise<void> {
  await sql`
    update job_server.uploads set multipart_id = ${parts.multipartId}, part_size_bytes = ${parts.partSizeBytes}
    where id = ${uploadId}`
}

/** The parts are joined. @throws UploadNotUsable when it was given up meanwhile */
export async function endReceiving(sql: Sql, uploadId: string, sizeBytes: number): Promise<Upload> {
  const [upload] = await sql<Upload[]>`
    update job_server.uploads set
      status = 'completed', size_bytes = ${sizeBytes}, ended_at = now(), multipart_id = null, part_size_bytes = null
    where id = ${uploadId} and status = 'waiting'
    returning ${uploadColumns(sql)}`
  if (upload === undefined) throw new UploadNotUsable(uploadId, (await readUpload(sql, uploadId)).status)
  return upload
}

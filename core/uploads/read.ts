/** Reads an upload. */
import type { Sql } from '../db.ts'
import { UploadNotFound } from '../errors.ts'
import { type Upload, uploadColumns } from './row.ts'

/** @throws UploadNotFound */
export async function readUpload(sql: Sql, uploadId: string): Promise<Upload> {
  const [upload] = await sql<Upload[]>`
    select ${uploadColumns(sql)} from job_server.uploads where id = ${uploadId}`
  if (upload === undefined) throw new UploadNotFound(uploadId)
  return upload
}

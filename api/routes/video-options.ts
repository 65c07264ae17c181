/** A client's options as parameters of `encode.video`: uploads in them become keys of the storage. */
import type { Sql } from '../../core/db.ts'
import { readUpload } from '../../core/uploads/read.ts'
import { usableUpload } from '../../core/uploads/usable.ts'
import type { EncodeBody } from './video-requests.ts'

/**
 * @param how.isRepeated the request was made before: what it names need not be usable any more
 * @throws UploadNotFound, UploadNotUsable, InvalidMedia for the watermark
 */
export async function optionsFor<Options extends Pick<EncodeBody, 'watermark'>>(
  sql: Sql,
  { watermark, ...options }: Options,
  { isRepeated } = { isRepeated: false },
) {
  if (watermark === undefined) return options
  const { uploadId, ...look } = watermark
  const { objectKey } = isRepeated
    ? await readUpload(sql, uploadId)
    : await usableUpload(sql, uploadId, 'picture')
  return { ...options, watermark: { ...look, key: objectKey } }
}

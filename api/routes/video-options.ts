/** A client's options as parameters of `encode.video`: uploads in them become keys of the storage. */
import type { Sql } from '../../core/db.ts'
import { usableUpload } from '../../core/uploads/usable.ts'
import type { EncodeBody } from './video-requests.ts'

/** @throws as `usableUpload`, for the watermark */
export async function optionsFor<Options extends Pick<EncodeBody, 'watermark'>>(
  sql: Sql,
  { watermark, ...options }: Options,
  { isRepeated }: { isRepeated: boolean },
) {
  if (watermark === undefined) return options
  const { uploadId, ...look } = watermark
  const { objectKey } = await usableUpload(sql, uploadId, { as: 'picture', isRepeated })
  return { ...options, watermark: { ...look, key: objectKey } }
}

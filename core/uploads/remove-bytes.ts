/** Removes what an upload left in storage. */
import type { Storage } from '../storage/client.ts'
import type { RequestOptions } from '../storage/patience.ts'
import type { Upload } from './row.ts'

/** Parts and object; what is not there is no error. */
export async function removeBytes(
  storage: Storage,
  { objectKey, multipartId }: Pick<Upload, 'objectKey' | 'multipartId'>,
  options: RequestOptions = {},
): Promise<void> {
  if (multipartId !== null) await storage.abortMultipart(objectKey, multipartId, options)
  await storage.remove(objectKey, options)
}

/** Completed uploads with bytes, made past the API. */
import { Readable } from 'node:stream'
import type { Pool } from '../../core/db.ts'
import type { Storage } from '../../core/storage/client.ts'
import { beginReceiving, endReceiving } from '../../core/uploads/receive.ts'

export interface StoredSource {
  id: string
  key: string
  /** As parameters of a job that reads it. */
  params: { source: { key: string } }
}

/** @param daysAgo when it was completed */
export async function storeSource(sql: Pool, storage: Storage, daysAgo: number): Promise<StoredSource> {
  const { id, objectKey: key } = await beginReceiving(sql, { filename: 'a.mp4', contentType: 'video/mp4' })
  await storeBytes(storage, key)
  await endReceiving(sql, id, 5)
  await sql`update job_server.uploads set ended_at = now() - make_interval(days => ${daysAgo}::int) where id = ${id}`
  return { id, key, params: { source: { key } } }
}

export async function storeBytes(storage: Storage, key: string): Promise<void> {
  const options = { contentType: 'video/mp4', partSizeBytes: 8 * 1024 ** 2 }
  await storage.putStream(key, Readable.from([Buffer.from('bytes')]), options)
}

/** Ends uploads whose time ran out, and removes for good the bytes of all that did not become complete. */
import type { Pool, Sql } from '../db.ts'
import type { Storage } from '../storage/client.ts'
import { oneByOne } from '../storage/one-by-one.ts'
import { removeBytes } from './remove-bytes.ts'
import type { Upload } from './row.ts'

const batch = 100

/**
 * Cancelled and rejected uploads come here too: their links live on until they expire, and a transfer that began
 * in a link's last second may end long after it. So bytes go `lateSeconds` after the links died, and only then
 * is the upload marked as removed: a crash in between repeats the removal, never forgets it.
 * @returns how many uploads were dealt with
 */
export async function expireUploads(
  sql: Pool,
  storage: Storage,
  { lateSeconds = 600, signal }: { lateSeconds?: number; signal?: AbortSignal | undefined } = {},
): Promise<{ removed: number }> {
  const isRemovable = (of: Sql) => of`
    status <> 'completed' and bytes_removed_at is null
    and expires_at < now() - make_interval(secs => ${lateSeconds})`
  // uploads_removable_idx
  const removable = await sql<Pick<Upload, 'id' | 'objectKey' | 'multipartId'>[]>`
    select id, object_key, multipart_id from job_server.uploads
    where ${isRemovable(sql)}
    order by expires_at
    limit ${batch}
    for update skip locked`
  const removed = await oneByOne(
    sql,
    removable,
    async (tx, upload, still) => {
      // uploads_pk; skip locked lets any number of callers share the work.
      const [held] = await tx`
        select ${still} from job_server.uploads
        where id = ${upload.id} and ${isRemovable(tx)}
        for update skip locked`
      if (held === undefined) return false
      await removeBytes(storage, upload, { signal })
      await tx`
        update job_server.uploads set
          status = case when status = 'waiting' then 'timed_out' else status end,
          ended_at = coalesce(ended_at, now()),
          bytes_removed_at = now()
        where id = ${upload.id}`
      return true
    },
    signal,
  )
  return { removed }
}

/** Ends uploads whose time ran out, and removes for good the bytes of all that did not become complete. */
import type { Pool } from '../db.ts'
import type { Storage } from '../storage/client.ts'
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
  options = { lateSeconds: 600 },
): Promise<{ removed: number }> {
  // uploads_removable_idx; skip locked lets any number of callers share the work.
  return await sql.begin(async (tx) => {
    const removable = await tx<Pick<Upload, 'id' | 'objectKey' | 'multipartId'>[]>`
      select id, object_key, multipart_id from job_server.uploads
      where status <> 'completed' and bytes_removed_at is null
        and expires_at < now() - make_interval(secs => ${options.lateSeconds})
      order by expires_at
      limit ${batch}
      for update skip locked`
    if (removable.length === 0) return { removed: 0 }
    for (const upload of removable) await removeBytes(storage, upload)
    await tx`
      update job_server.uploads set
        status = case when status = 'waiting' then 'timed_out' else status end,
        ended_at = coalesce(ended_at, now()),
        bytes_removed_at = now()
      where id = any(${removable.map(({ id }) => id)}::uuid[])`
    return { removed: removable.length }
  })
}

/** Holds what jobs that are about to be enqueued name in their parameters, against its removal in the same moment. */
import type { Sql } from '../db.ts'

/**
 * Until the transaction ends, upkeep passes these uploads and outputs by; where it came first, this waits for it.
 * `for key share` lets any number of others hold the same.
 * @param owners ids of uploads, and of jobs that wrote outputs; those that are not known are none of our business
 * @returns uploads whose bytes are gone
 */
export async function holdOwners(tx: Sql, owners: string[]): Promise<Set<string>> {
  if (owners.length === 0) return new Set()
  const uploads = await tx<{ id: string; gone: boolean }[]>`
    select id, bytes_removed_at is not null as gone from job_server.uploads
    where id = any(${owners}::uuid[])
    order by id
    for key share`
  await tx`
    select from job_server.job_outputs where job_id = any(${owners}::uuid[]) order by job_id for key share`
  return new Set(uploads.filter(({ gone }) => gone).map(({ id }) => id))
}

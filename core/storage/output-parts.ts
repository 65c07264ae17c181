/** Multipart uploads of large outputs: written down while they are open, so that none outlives its attempt. */
import type { Pool, Sql } from '../db.ts'
import type { Lease } from '../queue/row.ts'
import type { Storage } from './client.ts'
import { oneByOne } from './one-by-one.ts'

export interface OpenParts {
  key: string
  multipartId: string
}

export async function beginParts(
  sql: Sql,
  storage: Storage,
  { jobId, epoch }: Lease,
  { key, contentType }: { key: string; contentType: string },
): Promise<OpenParts> {
  const multipartId = await storage.createMultipart(key, { contentType })
  try {
    await sql`
      insert into job_server.output_parts (multipart_id, object_key, job_id, lease_epoch)
      values (${multipartId}, ${key}, ${jobId}, ${epoch})`
  } catch (error) {
    await storage.abortMultipart(key, multipartId)
    throw error
  }
  return { key, multipartId }
}

/** Joins what has arrived. @throws when that is not `sizeBytes` long; the parts stay then */
export async function joinParts(
  sql: Sql,
  storage: Storage,
  { epoch }: Lease,
  { key, multipartId, sizeBytes }: OpenParts & { sizeBytes: number },
): Promise<void> {
  const parts = (await storage.listParts(key, multipartId)) ?? []
  const arrived = parts.reduce((sum, part) => sum + part.sizeBytes, 0)
  if (arrived !== sizeBytes) throw new Error(`${arrived} of ${sizeBytes} bytes have arrived`)
  await storage.completeMultipart(key, multipartId, parts)
  await sql`delete from job_server.output_parts where lease_epoch = ${epoch} and multipart_id = ${multipartId}`
}

/** What the attempt began and did not join. */
export async function abortParts(sql: Sql, storage: Storage, { epoch }: Lease): Promise<void> {
  // output_parts_pk
  const open = await sql<OpenParts[]>`
    select object_key as key, multipart_id from job_server.output_parts where lease_epoch = ${epoch}`
  for (const { key, multipartId } of open) await storage.abortMultipart(key, multipartId)
  await sql`
    delete from job_server.output_parts
    where lease_epoch = ${epoch} and multipart_id = any(${open.map(({ multipartId }) => multipartId)}::text[])`
}

/**
 * Aborts those of attempts that have ended, once their links are dead.
 * @param options.linkSeconds how long after its beginning one may still be written to
 * @returns how many
 */
export async function removeStrayParts(
  sql: Pool,
  storage: Storage,
  options: { linkSeconds: number; limit: number; signal?: AbortSignal | undefined },
): Promise<number> {
  // output_parts_begun_idx and jobs_pk
  const stray = await sql<(OpenParts & { leaseEpoch: string })[]>`
    select object_key as key, multipart_id, lease_epoch from job_server.output_parts
    where begun_at < now() - make_interval(secs => ${options.linkSeconds})
      and not exists (
        select from job_server.jobs where jobs.id = output_parts.job_id and jobs.lease_epoch = output_parts.lease_epoch
      )
    order by begun_at
    limit ${options.limit}
    for update skip locked`
  return await oneByOne(
    sql,
    stray,
    async (tx, { key, multipartId, leaseEpoch }, still) => {
      const isThis = tx`lease_epoch = ${leaseEpoch} and multipart_id = ${multipartId}`
      // output_parts_pk; skip locked lets any number of callers share the work.
      const [held] = await tx`
        select ${still} from job_server.output_parts where ${isThis} for update skip locked`
      if (held === undefined) return false
      await storage.abortMultipart(key, multipartId, { signal: options.signal })
      await tx`delete from job_server.output_parts where ${isThis}`
      return true
    },
    options.signal,
  )
}

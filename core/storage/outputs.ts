/** Which jobs may have objects below their prefix: written down before the first link, so that none is forgotten. */
import type { Sql } from '../db.ts'

export async function noteOutputs(sql: Sql, jobId: string): Promise<void> {
  await sql`
    insert into job_server.job_outputs (job_id) values (${jobId})
    on conflict on constraint job_outputs_pk do nothing`
}

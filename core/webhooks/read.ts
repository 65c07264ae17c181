/** Reads webhooks. */
import type { Sql } from '../db.ts'
import { type Webhook, webhookColumns } from './row.ts'

/** One page, oldest first, and how many there are in all. */
export async function listWebhooks(
  sql: Sql,
  { limit, offset }: { limit: number; offset: number },
): Promise<{ webhooks: Webhook[]; total: number }> {
  const [webhooks, [count]] = await Promise.all([
    sql<Webhook[]>`
      select ${webhookColumns(sql)} from job_server.webhooks order by id limit ${limit} offset ${offset}`,
    sql<{ total: number }[]>`select count(*)::int as total from job_server.webhooks`,
  ])
  return { webhooks, total: count?.total ?? 0 }
}

export async function readWebhook(sql: Sql, id: string): Promise<Webhook | null> {
  const [webhook] = await sql<Webhook[]>`
    select ${webhookColumns(sql)} from job_server.webhooks where id = ${id}`
  return webhook ?? null
}

/** The address that a job brought, if it did. */
export async function readJobWebhook(sql: Sql, jobId: string): Promise<string | null> {
  const [row] = await sql<{ url: string }[]>`select url from job_server.job_webhooks where job_id = ${jobId}`
  return row?.url ?? null
}

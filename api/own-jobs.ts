/**
 * Jobs of the server's own are seen by all who may read jobs. What they do is the business of who manages webhooks: these
 * alone change them, and read what endpoints answered.
 */
import type { Context } from 'hono'
import type { Sql } from '../core/db.ts'
import { isInternal } from '../core/definitions/internal.ts'
import type { StreamItem } from '../core/events/read.ts'
import { definitionOf } from '../core/queue/read.ts'
import type { ApiEnv } from './app.ts'
import { insufficientScope, mayAs } from './middleware/scopes.ts'

/** Before a change of a job, if there is one of that id. @throws RequestProblem forbidden */
export async function requireRightToChange(c: Context<ApiEnv>, sql: Sql, jobId: string): Promise<void> {
  if (mayAs(c.var.caller, 'admin')) return
  if (isInternal(await definitionOf(sql, jobId))) throw insufficientScope('admin')
}

/** As it is for others. @param definitionKey that of its job */
export function withoutAnswer(item: StreamItem, definitionKey: string | null): StreamItem {
  if (item.eventType !== 'answered' || !isInternal(definitionKey)) return item
  const { responseBody: _body, ...payload } = item.payload
  return { ...item, payload }
}

/** The app over a test's database and bucket, without a server around it. */
import pino from 'pino'
import { openTo } from '../../api/access.ts'
import { createApp } from '../../api/app.ts'
import { parseConfig } from '../../core/config.ts'
import type { Pool } from '../../core/db.ts'
import { EventHub } from '../../core/events/hub.ts'
import { createFinishWatch } from '../../core/queue/wait.ts'
import { openTracing } from '../../core/trace/open.ts'
import type { TestDatabase } from './database.ts'
import type { TestStorage } from './storage.ts'

/** @param options.sql in place of the database's own pool */
export async function testApp(
  { database, bucket }: { database: TestDatabase; bucket: TestStorage },
  { environment = {}, sql = database.sql }: { environment?: Record<string, string>; sql?: Pool } = {},
) {
  const config = parseConfig({ DATABASE_URL: database.url, ...bucket.environment, ...environment })
  const lines: { level: number; msg: string }[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const app = createApp({
    sql,
    readiness: sql,
    storage: bucket.storage,
    events: new EventHub({ sql, log }),
    finishWatch: createFinishWatch(sql),
    config,
    log,
    tracing: await openTracing(config, log, { program: 'api', instance: 'test' }),
    openTo: openTo(config),
    connectionOf: () => ({ remote: { address: '192.0.2.1' } }),
  })
  const request = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(`http://127.0.0.1${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  return { request, lines }
}

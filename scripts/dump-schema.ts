/** `bun run schema`: migrates a throw-away embedded PostgreSQL and writes its schema to `migrations/schema.txt`. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPool } from '../core/db.ts'
import { migrate } from '../core/migrate.ts'
import { startPostgres } from './embedded/servers.ts'
import { anyPort } from './ports.ts'
import { schemaText } from './schema-text.ts'

const target = fileURLToPath(new URL('../migrations/schema.txt', import.meta.url))

const directory = await mkdtemp(join(tmpdir(), 'job-server-schema-'))
try {
  // PostgreSQL runs as a user of its own when we are root.
  await chmod(directory, 0o755)
  const options = { directory: join(directory, 'postgres'), port: await anyPort(), disposable: true }
  const server = await startPostgres(options)
  try {
    await Bun.write(target, await migratedSchema(server.environment.DATABASE_URL ?? ''))
    console.log('Wrote migrations/schema.txt.')
  } finally {
    await server.stop()
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}
process.exit()

async function migratedSchema(url: string): Promise<string> {
  const sql = openPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1 }, 'job-server schema')
  try {
    await migrate(sql)
    return await schemaText(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

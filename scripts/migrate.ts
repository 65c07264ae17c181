#!/usr/bin/env bun
/** Brings the database of DATABASE_URL to the schema of this version. */
import { configWithoutStorageOrExit } from '../core/config-or-exit.ts'
import { openPool } from '../core/db.ts'
import { migrate } from '../core/migrate.ts'

const sql = openPool(configWithoutStorageOrExit(process.env), 'job-server migrate')
try {
  const applied = await migrate(sql, { onBlocked: (problem) => console.error(`${problem} Trying again.`) })
  console.log(
    applied.length === 0 ? 'The schema is up to date.' : applied.map((name) => `applied ${name}`).join('\n'),
  )
} finally {
  await sql.end({ timeout: 1 })
}

/** Brings the schema up to date as a step of a deployment: a function inside the network, called before any program changes. */
import { parseConfigWithoutStorage } from '../../core/config.ts'
import { openPool } from '../../core/db.ts'
import { migrate } from '../../core/migrate.ts'

/** @throws when a migration fails: so the deployment does, and the programs stay as they were */
export async function handler(): Promise<{ applied: string[] }> {
  const sql = openPool(
    { ...parseConfigWithoutStorage(process.env), DATABASE_POOL_SIZE: 1 },
    'job-server migrate',
  )
  try {
    return { applied: await migrate(sql, { onBlocked: (problem) => console.warn(problem) }) }
  } finally {
    await sql.end({ timeout: 1 })
  }
}

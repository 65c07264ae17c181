/** Writes the definitions found in `jobs/` and JOBS_DIR into the database; workers do the same when they start. */
import { fileURLToPath } from 'node:url'
import { configOrExit } from '../core/config-or-exit.ts'
import { openPool } from '../core/db.ts'
import { discoverDefinitions } from '../core/definitions/discover.ts'
import { registerDefinitions } from '../core/definitions/register.ts'

const config = configOrExit(process.env)
const builtInJobs = fileURLToPath(new URL('../jobs', import.meta.url))
const { definitions, broken } = await discoverDefinitions(
  config.JOBS_DIR === undefined ? [builtInJobs] : [builtInJobs, config.JOBS_DIR],
)
for (const { file, error } of broken) console.error(`${file}: ${error}`)
const sql = openPool(config, 'job-server register-definitions')
try {
  await registerDefinitions(sql, definitions)
  for (const { key, version } of definitions) console.log(`registered ${key}@${version}`)
} finally {
  await sql.end({ timeout: 1 })
}
if (broken.length > 0) process.exitCode = 1

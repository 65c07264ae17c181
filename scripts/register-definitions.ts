/**
 * Writes the definitions found in `jobs/` and JOBS_DIR into the database; workers do the same when they start. With
 * --prune, definitions that are not among them go, as far as nobody needs them, and their schedules in any case: for where
 * all workers have the same job files.
 */
import { fileURLToPath } from 'node:url'
import { configWithoutStorageOrExit } from '../core/config-or-exit.ts'
import { openPool } from '../core/db.ts'
import { definitionName } from '../core/definitions/name.ts'
import { registerDefinitions } from '../core/definitions/register.ts'
import { pruneDefinitions } from '../core/definitions/remove.ts'
import { createLog } from '../core/log.ts'
import { pruneCodeSchedules } from '../core/schedules/sync.ts'
import { discoverInProcess } from '../worker/discovery.ts'

const config = configWithoutStorageOrExit(process.env)
const builtInJobs = fileURLToPath(new URL('../jobs', import.meta.url))
const { definitions, broken } = await discoverInProcess(
  config.JOBS_DIR === undefined ? [builtInJobs] : [builtInJobs, config.JOBS_DIR],
  {
    environment: process.env,
    jobVariables: config.JOB_ENVIRONMENT,
    log: createLog({ level: config.LOG_LEVEL, name: 'register-definitions' }),
    signal: new AbortController().signal,
  },
)
for (const { file, error } of broken) console.error(`${file}: ${error}`)
const sql = openPool(config, 'job-server register-definitions')
try {
  await registerDefinitions(sql, definitions)
  for (const definition of definitions) console.log(`registered ${definitionName(definition)}`)
  // What a file that does not load defines is not known.
  if (process.argv.includes('--prune') && broken.length === 0) {
    for (const name of await pruneCodeSchedules(sql, definitions)) console.log(`removed schedule ${name}`)
    for (const { name, removal } of await pruneDefinitions(sql, definitions)) {
      if (removal.kind === 'removed') console.log(`removed ${name}`)
      if (removal.kind === 'in_use') console.log(`kept ${name}: ${removal.uses.join('; ')}`)
    }
  }
} finally {
  await sql.end({ timeout: 1 })
}
if (broken.length > 0) process.exitCode = 1

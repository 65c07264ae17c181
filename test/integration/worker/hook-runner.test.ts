import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { recordOf } from '../../../core/definitions/discover.ts'
import { newId } from '../../../core/ids.ts'
import { defaultJobLimits } from '../../../core/job-limits.ts'
import { HookRunner } from '../../../worker/hook-runner.ts'
import { Scratch } from '../../../worker/scratch.ts'
import { Standby } from '../../../worker/standby.ts'
import { WorkerMetrics } from '../../../worker/worker-metrics.ts'
import hooked from '../../fixtures/hooked-jobs/hooked.ts'
import { testDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'

const { sql } = await testDatabase()
const definition = recordOf(hooked, {
  file: fileURLToPath(new URL('../../fixtures/hooked-jobs/hooked.ts', import.meta.url)),
  hooks: {
    file: fileURLToPath(new URL('../../fixtures/hooked-jobs/_hooks.ts', import.meta.url)),
    names: ['onEnd'],
  },
})

test('a hook for which no process was to be had is run with its next try', async () => {
  const root = await mkdtemp(join(tmpdir(), 'job-server-hook-runner-'))
  const logged: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => logged.push(JSON.parse(line).msg) })
  const scratch = new Scratch(root)
  await scratch.start()
  // None stands by, so that each hook needs one started.
  const standby = new Standby({
    ...{ root, directory: scratch.directory, environment: { PATH: process.env.PATH }, log },
    ...{ metrics: new WorkerMetrics(), size: 0, usedSize: 0 },
  })
  await standby.start()
  const runner = new HookRunner({
    ...{ sql, standby, scratch, log, jobLimits: defaultJobLimits },
    tools: { ffmpeg: '', ffprobe: '' },
    definitions: () => new Map([[`${definition.key}@${definition.version}`, definition]]),
  })
  onTestFinished(async () => {
    await runner.stop()
    await standby.stop()
    await rm(root, { recursive: true, force: true })
  })
  const notes = join(root, 'notes')
  await sql`
    insert into job_server.hook_runs (job_id, definition_key, definition_version, hook, payload)
    values (${newId()}, ${definition.key}, ${definition.version}, 'onEnd', ${sql.json({ params: { notes } })})`

  const refused = vi.spyOn(Bun, 'spawn').mockImplementation(() => {
    throw new Error('EAGAIN: resource temporarily unavailable, posix_spawn')
  })
  await runner.runOnce()
  await until('the refusal to be told', () => logged.includes('hook.broken'))
  refused.mockRestore()

  await sql`update job_server.hook_runs set lease_expires_at = now() - interval '1 second'`
  await runner.runOnce()
  await until('the hook to end', async () => (await sql`select from job_server.hook_runs`).length === 0)
  expect(await readFile(notes, 'utf8')).toContain('"onEnd"')
  expect(logged).toEqual(['hook.broken'])
})

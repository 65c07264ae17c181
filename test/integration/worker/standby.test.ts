import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { recordOf } from '../../../core/definitions/discover.ts'
import echo from '../../../jobs/echo.ts'
import { Standby } from '../../../worker/standby.ts'
import { WorkerMetrics } from '../../../worker/worker-metrics.ts'
import { until } from '../../support/until.ts'

const definition = recordOf(echo, {
  file: fileURLToPath(new URL('../../../jobs/echo.ts', import.meta.url)),
  hooks: { file: null, names: [] },
})

test('where no process is to be had for a moment, none stands by, and the next take tries again', async () => {
  const root = await mkdtemp(join(tmpdir(), 'job-server-standby-test-'))
  const directory = join(root, 'waiting')
  await mkdir(directory)
  const warnings: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => warnings.push(JSON.parse(line).msg) })
  const standby = new Standby({
    ...{ root, directory, environment: { PATH: process.env.PATH }, log },
    ...{ metrics: new WorkerMetrics(), size: 1, usedSize: 1 },
  })
  await standby.start()
  onTestFinished(async () => {
    await standby.stop()
    await rm(root, { recursive: true, force: true })
  })
  const refused = vi.spyOn(Bun, 'spawn').mockImplementation(() => {
    throw new Error('EAGAIN: resource temporarily unavailable, posix_spawn')
  })
  // The one that stood by; what is to take its place can't be started.
  await standby.take(definition).process.ready
  await until('the refusal to be told', () => warnings.includes('standby.not_started'))
  refused.mockRestore()
  const { process: next } = standby.take(definition)
  await next.ready
  expect(next.isIdle).toBe(true)
})

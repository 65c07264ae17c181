/** The health check of the containers, as the container runs it. */
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { beat } from '../../../core/workers/beat.ts'
import { anyPort } from '../../../scripts/ports.ts'
import { testDatabase } from '../../support/database.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const { sql, url } = await testDatabase()

/** @returns the exit status */
async function isAlive(program: string, environment: Record<string, string> = {}): Promise<number> {
  const child = Bun.spawn([process.execPath, 'scripts/is-alive.ts', program], {
    cwd: root,
    env: { PATH: process.env.PATH, DATABASE_URL: url, S3_BUCKET: 'none', ...environment },
    stdout: 'ignore',
    stderr: 'ignore',
  })
  return await child.exited
}

test('a worker is alive as long as the database hears of it', async () => {
  const id = `${hostname()}:7`
  expect(await isAlive('worker')).toBe(1)
  await beat(sql, { id, kind: 'worker', slots: 1, info: {} })
  expect(await isAlive('worker')).toBe(0)
  expect(await isAlive('scheduler')).toBe(1)
  await sql`update job_server.workers set heartbeat_at = now() - interval '31 seconds' where id = ${id}`
  expect(await isAlive('worker')).toBe(1)
})

test('one of another host or another name says nothing of this one', async () => {
  await beat(sql, { id: `${hostname()}-2:7`, kind: 'scheduler', slots: 0, info: {} })
  expect(await isAlive('scheduler')).toBe(1)
  await beat(sql, { id: 'by-name', kind: 'scheduler', slots: 0, info: {} })
  expect(await isAlive('scheduler', { WORKER_ID: 'by-name' })).toBe(0)
})

test('that the database is away is no reason to kill those that wait for it', async () => {
  const DATABASE_URL = `postgres://postgres@127.0.0.1:${await anyPort()}/postgres`
  expect(await isAlive('worker', { DATABASE_URL })).toBe(0)
})

test('an API that listens nowhere is not alive, one that answers is', async () => {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('ok') })
  const PORT = String(server.port)
  expect(await isAlive('api', { PORT, HOST: '0.0.0.0' })).toBe(0)
  await server.stop(true)
  expect(await isAlive('api', { PORT })).toBe(1)
})

test('a program that does not exist is a mistake of the call', async () => {
  expect(await isAlive('database')).toBe(2)
})

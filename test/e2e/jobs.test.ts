import { expect, test } from 'vitest'
import { startServer } from '../support/server.ts'

const server = await startServer()

test('a job runs in its own process and gives its result back', async () => {
  const job = await server.enqueue('echo', { message: 'hello' })
  expect(await job.reaches('succeeded')).toMatchObject({ attempts: 1, result: { message: 'hello' } })
})

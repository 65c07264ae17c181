import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { jobDirectory, jobFile } from '../support/job-files.ts'
import { openMultiparts } from '../support/leftovers.ts'
import { startServer } from '../support/server.ts'

const sizeBytes = 70 * 1024 ** 2
const jobs = await jobDirectory({
  'write.large.ts': jobFile({
    key: 'write.large',
    top: "import { open } from 'node:fs/promises'\nimport { join } from 'node:path'",
    run: `async (_params, { scratchDirectory, storage }) => {
      const path = join(scratchDirectory, 'large')
      const file = await open(path, 'w')
      await file.truncate(${sizeBytes})
      await file.close()
      return await storage.upload(path, { name: 'large.bin', contentType: 'application/octet-stream' })
    }`,
  }),
})
const server = await startServer({ environment: { JOBS_DIR: jobs.path } })

test('an output that is too large for one request goes in parts, and is one object in the end', async () => {
  const job = await server.enqueue('write.large')
  const { result } = await job.reaches('succeeded')
  const sha256 = createHash('sha256').update(new Uint8Array(sizeBytes)).digest('hex')
  expect(result).toEqual({ key: expect.stringContaining(`outputs/${job.id}/`), sizeBytes, sha256 })
  const [object, ...others] = await Array.fromAsync(server.bucket.storage.list(''))
  expect(others).toEqual([])
  expect(object).toMatchObject({ sizeBytes })
  expect(await openMultiparts(server.bucket)).toEqual([])
})

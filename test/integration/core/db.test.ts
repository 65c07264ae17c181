import { expect, test } from 'vitest'
import { openPool } from '../../../core/db.ts'
import { testDatabase } from '../../support/database.ts'
import { openLine } from '../../support/line.ts'

const { url } = await testDatabase()

test('a database that was asked in vain again and again answers as soon as it is back', async () => {
  const line = await openLine(url)
  const connections = 8
  const sql = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: connections }, 'test')
  const askByEach = () => Array.from({ length: connections }, async () => (await sql`select 1`).count)
  line.drop()
  expect(new Set((await Promise.allSettled(askByEach())).map(({ status }) => status))).toEqual(
    new Set(['rejected']),
  )
  await line.restore()
  // The library by itself would wait for 10 s at least.
  const answers = await Promise.race([Promise.all(askByEach()), Bun.sleep(8000)])
  expect(answers).toEqual(Array(connections).fill(1))
  await sql.end({ timeout: 0 })
})

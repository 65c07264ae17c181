/** Whether a question that has no answer yet is lost, as the database itself tells. */
import { expect, test } from 'vitest'
import { isForgotten } from '../../../core/silence-watch.ts'
import { testDatabase } from '../../support/database.ts'
import { until } from '../../support/until.ts'

const { sql, url } = await testDatabase()

test('it is when the database is at nothing for so long', async () => {
  expect(await isForgotten({ DATABASE_URL: url }, { seconds: 1 })).toBe(true)
})

test('it is not while the database is at it, waiting for a lock for example', async () => {
  await sql.begin(async (tx) => {
    await tx`lock table job_server.definitions in access exclusive mode`
    const waiting = sql`select count(*) from job_server.definitions`.execute()
    await until(
      'it to wait for so long',
      async () => !(await isForgotten({ DATABASE_URL: url }, { seconds: 1 })),
    )
    expect(await isForgotten({ DATABASE_URL: url }, { seconds: 600 })).toBe(true)
    void waiting.catch(() => {})
  })
})

test('it is not where nobody can be asked', async () => {
  const nowhere = new URL(url)
  nowhere.port = '1'
  expect(await isForgotten({ DATABASE_URL: nowhere.href }, { seconds: 1 })).toBe(false)
})

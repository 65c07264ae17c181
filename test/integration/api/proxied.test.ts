import { expect, test } from 'vitest'
import { createKey } from '../../../core/keys/create.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { testStorage } from '../../support/storage.ts'

const database = await testDatabase()
const bucket = await testStorage()

test('who comes by a proxy is not taken for this machine, before the first key and after it', async () => {
  const { request } = await testApp({ database, bucket })
  const statusBy = async (headers: Record<string, string>) =>
    (await request('GET', '/v1/jobs', undefined, headers)).status
  expect(await statusBy({})).toBe(200)
  const marks = {
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-host': 'jobs.example',
    'x-forwarded-proto': 'https',
    'x-real-ip': '203.0.113.7',
    forwarded: 'for=203.0.113.7',
    via: '1.1 proxy',
  }
  for (const [name, value] of Object.entries(marks)) {
    const refused = await request('GET', '/v1/jobs', undefined, { [name]: value })
    expect(refused.status, name).toBe(401)
    expect((await refused.json()).detail).toContain('bun run keys create')
  }
  const behind = await testApp({ database, bucket }, { environment: { TRUSTED_PROXIES: '1' } })
  expect((await behind.request('GET', '/v1/jobs')).status).toBe(401)
  const open = await testApp({ database, bucket }, { environment: { AUTH: 'none', TRUSTED_PROXIES: '1' } })
  expect((await open.request('GET', '/v1/jobs', undefined, marks)).status, 'open on purpose').toBe(200)

  const { secret } = await createKey(database.sql, { name: 'proxied', scopes: ['read'] })
  expect(await statusBy({ ...marks, authorization: `Bearer ${secret}` })).toBe(200)
})

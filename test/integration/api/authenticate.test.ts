import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createPlaybackTokens } from '../../../api/playback/token.ts'
import { newId } from '../../../core/ids.ts'
import { createKey } from '../../../core/keys/create.ts'
import { newSecret } from '../../../core/keys/key.ts'
import { revokeKey } from '../../../core/keys/revoke.ts'
import { testApp } from '../../support/app.ts'
import { testDatabase } from '../../support/database.ts'
import { testStorage } from '../../support/storage.ts'

const database = await testDatabase()
const bucket = await testStorage()
const limits = { HOST: '0.0.0.0', RATE_LIMIT_PER_SECOND: '1', RATE_LIMIT_BURST: '5' }

/** The clock of the rate limit stands still: no bucket has room again within a test. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() })
})

afterEach(() => {
  vi.useRealTimers()
})

async function limitedApp() {
  const { request } = await testApp({ database, bucket }, { environment: limits })
  const statusFor = async (secret: string) =>
    (await request('GET', '/v1/jobs', undefined, { authorization: `Bearer ${secret}` })).status
  const guess = async () => {
    const statuses = []
    for (let count = 0; count < 10; count++) statuses.push(await statusFor(newSecret()))
    expect(statuses.at(-1)).toBe(429)
  }
  return { request, statusFor, guess }
}

/** Longer than a key is believed without being looked up. */
function letBeliefEnd() {
  vi.setSystemTime(Date.now() + 60_000)
}

test('who guesses keys at an address does not lock out a key that was good there', async () => {
  const { statusFor, guess } = await limitedApp()
  const { key, secret } = await createKey(database.sql, { name: 'good', scopes: ['read'] })
  expect(await statusFor(secret)).toBe(200)
  await guess()
  letBeliefEnd()
  expect(await statusFor(secret)).toBe(200)
  await revokeKey(database.sql, key.id)
  letBeliefEnd()
  expect(await statusFor(secret), 'it is looked up').not.toBe(200)
  expect(await statusFor(secret), 'and is a guess like any other from then on').toBe(429)
})

test('players and who shows keys at one address do not lock out each other', async () => {
  const { request, statusFor, guess } = await limitedApp()
  const videoId = newId()
  const token = await createPlaybackTokens(database.sql).issue(videoId, 60)
  const play = async () => (await request('GET', `/v1/videos/${videoId}/poster?token=${token}`)).status
  await guess()
  const played = []
  for (let count = 0; count < 6; count++) played.push(await play())
  expect(played).toEqual([404, 404, 404, 404, 404, 429])

  const other = await limitedApp()
  for (let count = 0; count < 6; count++) {
    await other.request('GET', `/v1/videos/${videoId}/poster?token=${token}`)
  }
  const { secret } = await createKey(database.sql, { name: 'beside players', scopes: ['read'] })
  expect(await other.statusFor(secret)).toBe(200)
  expect(await statusFor(newSecret())).toBe(429)
})

import { stat } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { build } from '../../support/runtimes.ts'
import { contractSuite } from './contract.ts'

const { send } = await contractSuite('function')

test('a video beyond what an event carries is refused before the function hears of it', async () => {
  const form = new FormData()
  form.set('video', new Blob([Buffer.alloc(6 * 1024 ** 2)]), 'large.mp4')
  expect((await send('POST', '/v1/videos/encode', { body: form })).status).toBe(413)
})

test('cookies and empty answers pass', async () => {
  const answer = await send('GET', '/healthz', { headers: { cookie: 'a=1; b=2' } })
  expect(answer.status).toBe(200)
  const key = { 'content-type': 'application/json' }
  const body = JSON.stringify({ definitionKey: 'echo', delaySeconds: 1000 })
  const { jobId } = await (await send('POST', '/v1/jobs', { body, headers: key })).json()
  await send('POST', `/v1/jobs/${jobId}/cancel`)
  const gone = await send('DELETE', `/v1/jobs/${jobId}`)
  expect(gone.status).toBe(204)
  expect(await gone.text()).toBe('')
})

test('the bundle is one file of less than 2 MB: a cold start loads it whole', async () => {
  const { size } = await stat(await build('function'))
  expect(size).toBeLessThan(2 * 1024 ** 2)
  expect(size, 'a bundle at all').toBeGreaterThan(100 * 1024)
})

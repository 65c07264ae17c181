import { Hono } from 'hono'
import { expect, test } from 'vitest'
import type { ApiEnv } from '../../../api/app.ts'
import { createRateLimit } from '../../../api/middleware/rate-limit.ts'
import { answerProblem } from '../../../api/problem.ts'

/** An app of nothing but the limit: two at once, then two a second. */
function limited(proxies = 0) {
  let time = 1_000_000
  const config = { RATE_LIMIT_PER_SECOND: 2, RATE_LIMIT_BURST: 2, TRUSTED_PROXIES: proxies }
  const limit = createRateLimit(
    config,
    (c) => ({ remote: { address: c.req.header('x-test-address') } }),
    () => time,
  )
  const app = new Hono<ApiEnv>()
  app.onError(answerProblem)
  app.use(async (c, next) => {
    limit.count(c)
    await next()
  })
  app.get('/', (c) => c.text('in'))
  return {
    get: async (headers: Record<string, string>) => await app.request('/', { headers }),
    pass: (ms: number) => {
      time += ms
    },
  }
}

test('a burst is let in, then as many as the rate allows, each caller by itself', async () => {
  const { get, pass } = limited()
  const a = { 'x-test-address': '192.0.2.1' }
  expect((await get(a)).status).toBe(200)
  expect((await get(a)).status).toBe(200)
  const refused = await get(a)
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(await refused.json()).toMatchObject({ code: 'rate_limited' })
  expect((await get({ 'x-test-address': '192.0.2.2' })).status).toBe(200)
  pass(499)
  expect((await get(a)).status).toBe(429)
  pass(1)
  expect((await get(a)).status).toBe(200)
  expect((await get(a)).status).toBe(429)
})

test('what callers write into X-Forwarded-For changes nothing; what our proxies add does', async () => {
  const direct = limited()
  for (const [index, status] of [200, 200, 429].entries()) {
    const headers = { 'x-test-address': '192.0.2.1', 'x-forwarded-for': `198.51.100.${index}` }
    expect((await direct.get(headers)).status).toBe(status)
  }
  const proxied = limited(1)
  for (const [index, status] of [200, 200, 429].entries()) {
    const headers = {
      'x-test-address': '192.0.2.1',
      'x-forwarded-for': `198.51.100.${index}, 203.0.113.7`,
    }
    expect((await proxied.get(headers)).status).toBe(status)
  }
  const other = { 'x-test-address': '192.0.2.1', 'x-forwarded-for': '203.0.113.8' }
  expect((await proxied.get(other)).status).toBe(200)
})

test('ten thousand callers and more are told apart without being kept for ever', async () => {
  const { get, pass } = limited()
  for (let index = 0; index < 10_001; index++) await get({ 'x-test-address': `host-${index}` })
  pass(10_000)
  expect((await get({ 'x-test-address': 'host-0' })).status).toBe(200)
})

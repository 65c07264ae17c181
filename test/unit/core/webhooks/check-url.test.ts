import { describe, expect, test } from 'vitest'
import { checkJobWebhook, checkUrl } from '../../../../core/webhooks/check-url.ts'

const check =
  (url: string, allowedHosts: string[] = []) =>
  () =>
    checkUrl(url, { path: 'url', allowedHosts })

describe('refused', () => {
  test.each([
    ['http://localhost:5432/', 'localhost is not a public address'],
    ['http://db.localhost./', 'db.localhost. is not a public address'],
    ['http://127.0.0.1/', '127.0.0.1 is not'],
    ['http://2130706433/', '127.0.0.1 is not'],
    ['http://017700000001/', '127.0.0.1 is not'],
    ['http://0x7f.1/', '127.0.0.1 is not'],
    ['http://[::ffff:7f00:1]/', 'is not a public address'],
    ['http://[64:ff9b::a00:1]/', 'is not a public address'],
    ['http://0/', '0.0.0.0 is not'],
    ['ws://example.com/', 'expected an http:// or https:// URL'],
    ['//example.com/', 'expected an http:// or https:// URL'],
    ['https://user@example.com/', 'without user name and password'],
  ])('%s', (url, reason) => {
    expect(check(url)).toThrow(reason)
  })
})

describe('taken', () => {
  test.each([
    ['https://example.com/hook', []],
    ['http://93.184.216.34:8080/', []],
    ['http://[2606:4700::1111]/', []],
    ['http://10.1.2.3/', ['10.0.0.0/8']],
    ['http://[fd00::7]/', ['fd00::/8']],
    ['http://[::ffff:10.1.2.3]/', ['10.1.2.3']],
    ['http://localhost:8080/', ['localhost']],
  ])('%s where %j is allowed', (url, allowed) => {
    expect(check(url, allowed)).not.toThrow()
  })
})

test('no job may bring an address where there is no secret to sign by', () => {
  const config = { WEBHOOK_SECRET: undefined, WEBHOOK_ALLOWED_HOSTS: [] }
  expect(() => checkJobWebhook('https://example.com/', 'webhookUrl', config)).toThrow('no WEBHOOK_SECRET')
})

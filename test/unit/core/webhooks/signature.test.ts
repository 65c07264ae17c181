import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { isSecret, newSecret, signedHeaders } from '../../../../core/webhooks/signature.ts'

const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`

test('whatever the body, the public library verifies the signature', () => {
  fc.assert(
    fc.property(fc.json(), fc.uuid(), (body, id) => {
      const secret = newSecret()
      const timestamp = Math.floor(Date.now() / 1000)
      const headers = signedHeaders({ id: `msg_${id}`, timestamp, body }, [newSecret(), secret])
      expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
      expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow()
    }),
    { numRuns: 50 },
  )
})

describe('a secret is whsec_ and the base64 of 24 to 64 bytes', () => {
  test.each([newSecret(), secretOf(24), secretOf(64), secretOf(25).replace(/=+$/, '')])('%s is', (text) => {
    expect(isSecret(text)).toBe(true)
  })

  test.each([
    secretOf(23),
    secretOf(65),
    'whsec_',
    secretOf(32).slice(6),
    `${secretOf(32)}!`,
    'whsec_hunter2',
  ])('%s is not', (text) => {
    expect(isSecret(text)).toBe(false)
  })
})

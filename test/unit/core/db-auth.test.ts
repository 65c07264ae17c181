import { createServer } from 'node:net'
import { Signer } from '@aws-sdk/rds-signer'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { openPool } from '../../../core/db.ts'
import { passwordOf } from '../../../core/db-auth.ts'

beforeAll(() => {
  vi.stubEnv('AWS_REGION', 'eu-central-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
})
afterAll(() => {
  vi.unstubAllEnvs()
})

test('a token of IAM is for one host, port and user, and lives a quarter of an hour', async () => {
  const { password } = passwordOf('postgres://job_server@proxy.example:6000/job_server', 'iam')
  const token = new URL(`https://${await password?.()}`)
  expect(token.host).toBe('proxy.example:6000')
  expect(Object.fromEntries(token.searchParams)).toMatchObject({
    Action: 'connect',
    DBUser: 'job_server',
    'X-Amz-Credential': expect.stringMatching(/^AKIAEXAMPLE\/\d{8}\/eu-central-1\/rds-db\/aws4_request$/),
    'X-Amz-Expires': '900',
    'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test.each(['job_server', 'a user+of:another'])(
  "it is what AWS's own signer makes for %s",
  async (username) => {
    // Both sign the second they are in.
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-25T12:00:00Z') })
    const target = { hostname: 'proxy.example', port: 5432, username }
    const { password } = passwordOf(
      `postgres://${encodeURIComponent(username)}@proxy.example/postgres`,
      'iam',
    )
    const tokens = await Promise.all([password?.(), new Signer(target).getAuthToken()])
    vi.useRealTimers()
    expect(tokens[0]).toBe(tokens[1])
  },
)

test('with a password in the URL nothing else is asked for', () => {
  expect(passwordOf('postgres://user:password@localhost/postgres')).toEqual({})
})

test('a connection shows the token as its password', async () => {
  const shown = Promise.withResolvers<string>()
  // Asks for the password in clear text, as a proxy does, and hangs up.
  const server = createServer((socket) => {
    const askForPassword = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(askForPassword)
      socket.once('data', (message: Buffer) => {
        shown.resolve(message.subarray(5, -1).toString())
        socket.destroy()
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const sql = openPool(
    {
      DATABASE_URL: `postgres://job_server@127.0.0.1:${port}/job_server`,
      DATABASE_AUTH: 'iam',
      DATABASE_POOL_SIZE: 1,
    },
    'test',
  )
  const asked = sql`select 1`.catch(() => {})
  expect(await shown.promise).toMatch(
    new RegExp(`^127\\.0\\.0\\.1:${port}/\\?Action=connect&DBUser=job_server&`),
  )
  await sql.end({ timeout: 0 })
  await asked
  server.close()
})

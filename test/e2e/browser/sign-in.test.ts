/** Signing in to the dashboard with an API key, once there are keys. */
import { expect, test } from 'vitest'
import { createKey } from '../../../core/keys/create.ts'
import { revokeKey } from '../../../core/keys/revoke.ts'
import { accessibilityViolations, noBrowser, openBrowser, shows } from '../../support/browser.ts'
import { startServer } from '../../support/server.ts'

const server = await startServer({ workers: 0 })
const browser = await openBrowser([server.url])

test.skipIf(noBrowser)(
  'without any key it is open; with one it asks, and keeps the key for the tab alone',
  async () => {
    const { sql } = server.database
    const page = await browser.open(`${server.url}/jobs`)
    await shows(page, 'There are no jobs yet.')

    const { key, secret } = await createKey(sql, { name: 'operator', scopes: ['read'] })
    await page.reload()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(await accessibilityViolations(page)).toEqual([])
    await page.getByLabel('API key').fill('jsk_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await shows(page, 'unknown, revoked or expired')
    await page.getByLabel('API key').fill(secret)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await shows(page, 'There are no jobs yet.')
    await shows(page, 'Live')

    await page.reload()
    await shows(page, 'There are no jobs yet.')
    await page.goto(`${server.url}/videos`)
    const choose = page.getByRole('button', { name: 'Choose files' })
    await choose.waitFor()
    expect(await choose.isDisabled()).toBe(true)
    expect(await choose.getAttribute('title')).toContain('scope “enqueue”')
    await page.goto(`${server.url}/jobs`)
    await shows(page, 'There are no jobs yet.')
    expect(await page.evaluate(() => [document.cookie, localStorage.length])).toEqual(['', 0])
    const other = await browser.open(`${server.url}/jobs`)
    await other.getByRole('heading', { name: 'Sign in' }).waitFor()

    await revokeKey(sql, key.id)
    // What asks every few seconds is told so first.
    await page.goto(`${server.url}/`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await shows(page, 'not accepted any more')
  },
)

test.skipIf(noBrowser)('a key presses what it may, and is told why not of the rest', async () => {
  const { secret } = await createKey(server.database.sql, { name: 'producer', scopes: ['read', 'enqueue'] })
  const page = await browser.open(`${server.url}/schedules`)
  await page.getByLabel('API key').fill(secret)
  await page.getByRole('button', { name: 'Sign in' }).click()
  const make = page.getByRole('button', { name: 'New schedule' }).first()
  await make.waitFor()
  expect(await make.isDisabled()).toBe(true)
  expect(await make.getAttribute('title')).toContain('scope “admin”')
  await page.goto(`${server.url}/videos`)
  const choose = page.getByRole('button', { name: 'Choose files' })
  await choose.waitFor()
  expect(await choose.isEnabled()).toBe(true)
})

/** Signing in to the dashboard with an API key, once there are keys. */
import { expect, test } from 'vitest'
import { createApiClient } from '../../../api/client.ts'
import { createKey } from '../../../core/keys/create.ts'
import { revokeKey } from '../../../core/keys/revoke.ts'
import { drain } from '../../../core/testing/drain.ts'
import echo from '../../../jobs/echo.ts'
import encodeVideo from '../../../jobs/encode.video.ts'
import failing from '../../../jobs/failing.ts'
import {
  accessibilityViolations,
  noBrowser,
  openBrowser,
  shows,
  type TestPage,
} from '../../support/browser.ts'
import { startServer } from '../../support/server.ts'
import { until } from '../../support/until.ts'

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
    // Without, a key may only look.
    await shows(page, 'bun run keys create NAME --scopes admin')
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

test.skipIf(noBrowser)('nothing that a key can press is refused by the API, in any view', async () => {
  const { sql } = server.database
  const views = await viewsWithSomethingInThem(
    (await createKey(sql, { name: 'all', scopes: ['admin'] })).secret,
  )
  const { secret } = await createKey(sql, { name: 'looks', scopes: ['read'] })
  const page = await browser.open(`${server.url}/`)
  await page.getByLabel('API key').fill(secret)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await shows(page, 'Live')
  const refused: string[] = []
  page.on('response', (response) => {
    if (response.status() === 403) refused.push(`${response.request().method()} ${response.url()}`)
  })
  let withheld = 0
  for (const view of views) {
    await page.goto(`${server.url}${view}`)
    await settles(page)
    withheld += await pressEverything(page)
    await settles(page)
    expect(refused, view).toEqual([])
  }
  // Of what there is to be pressed in these views for a key that may do everything.
  expect(withheld).toBeGreaterThanOrEqual(12)
})

/** Addresses of all views, each with at least one thing of what it shows. */
async function viewsWithSomethingInThem(secret: string): Promise<string[]> {
  const { v1 } = createApiClient(server.url, { apiKey: secret })
  const enqueue = async (definitionKey: string, params = {}, more = {}) => {
    const answer = await v1.jobs.$post({ json: { definitionKey, params, ...more } })
    expect(answer.status).toBe(201)
    return (await answer.json()) as { jobId: string }
  }
  // The worker that is not there would register them.
  await drain(server.database.sql, [failing, echo, encodeVideo])
  const dead = await enqueue('failing', {}, { maxAttempts: 1 })
  await drain(server.database.sql, [failing])
  const waiting = await enqueue('echo', {}, { delaySeconds: 3600 })
  const video = await enqueue('encode.video', { source: { url: 'https://example.com/a.mp4' } })
  const schedule = await v1.schedules.$post({
    json: { name: 'nightly', definitionKey: 'echo', expression: '30 2 * * *' },
  })
  const webhook = await v1.webhooks.$post({ json: { url: 'https://example.com/hook' } })
  const { scheduleId } = (await schedule.json()) as { scheduleId: string }
  const { webhookId } = (await webhook.json()) as { webhookId: string }
  return [
    '/',
    '/jobs',
    '/jobs?definition=echo',
    `/jobs/${waiting.jobId}`,
    `/jobs/${dead.jobId}`,
    '/videos',
    `/videos/${video.jobId}`,
    '/dead-letters?definition=failing&code=always_fails',
    '/definitions',
    '/definitions/echo/1',
    '/schedules?make=new',
    `/schedules/${scheduleId}`,
    '/queues',
    '/workers',
    '/webhooks',
    `/webhooks/${webhookId}`,
    '/keys',
  ]
}

/** Nothing is being loaded. */
async function settles(page: TestPage): Promise<void> {
  await until('the view to be there', async () => {
    const isLoading = await page.locator('.skeleton, .starting').count()
    return isLoading === 0 && (await page.locator('h1').count()) === 1
  })
}

/** Every button once, dialogs and rows that are selected included. @returns how many could not be pressed */
async function pressEverything(page: TestPage): Promise<number> {
  for (const box of await page.locator('main .job-rows input[type=checkbox]').all()) await box.check()
  return await page.evaluate(async () => {
    const pressed = new Set<Element>()
    const next = () =>
      [...document.querySelectorAll<HTMLButtonElement>('main button, [role=dialog] button')].find(
        (button) => !button.disabled && !pressed.has(button),
      )
    for (let button = next(); button !== undefined; button = next()) {
      pressed.add(button)
      button.click()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return document.querySelectorAll('button:disabled[title*=scope]').length
  })
}

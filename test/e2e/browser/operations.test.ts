/** Steering in the dashboard: dead letters, definitions, schedules, queues, webhooks and keys. */
import { expect, test } from 'vitest'
import { ChildProcess } from '../../../scripts/child-process.ts'
import {
  accessibilityViolations,
  noBrowser,
  openBrowser,
  shows,
  type TestPage,
} from '../../support/browser.ts'
import { startServer } from '../../support/server.ts'
import { until } from '../../support/until.ts'

const server = await startServer()
const browser = await openBrowser([server.url])

test.skipIf(noBrowser)('dead letters stand in groups, and a group is redriven by its button', async () => {
  const jobs = await Promise.all(
    Array.from({ length: 3 }, () => server.enqueue('failing', {}, { maxAttempts: 1 })),
  )
  await Promise.all(jobs.map((job) => job.reaches('failed')))
  const page = await browser.open(`${server.url}/dead-letters`)
  const group = page.locator('.letter-group', { hasText: 'always_fails' })
  await until('the three', async () => (await group.locator('.letter-count').textContent()) === '3')
  await group.locator('.letter-toggle').click()
  await page.waitForURL(/definition=failing&code=always_fails/)
  await until('the letters', async () => (await page.locator('tbody tr').count()) === 3)
  expect(await accessibilityViolations(page)).toEqual([])
  await page.setViewportSize({ width: 390, height: 844 })
  expect(await pixelsBesideTables(page), 'pixels of tables beside a phone’s screen').toEqual([])
  await group.getByRole('button', { name: 'Redrive' }).click()
  await shows(page, '3 jobs are queued again.')
  const { jobs: letters } = await (await server.request('GET', '/v1/dlq?redriven=true')).json()
  expect(letters).toHaveLength(3)
  expect(letters.map(({ originalJobId }: { originalJobId: string }) => originalJobId).sort()).toEqual(
    jobs.map(({ id }) => id).sort(),
  )
})

test.skipIf(noBrowser)('a job is started by a form out of its schema, which says what is wrong', async () => {
  const page = await browser.open(`${server.url}/definitions`)
  await page.locator('tr', { hasText: 'compute.math' }).getByRole('link', { name: 'Start' }).click()
  await page.getByRole('button', { name: 'Start' }).click()
  await shows(page, 'This is needed.')
  await page.getByLabel('operation').selectOption('sum')
  await page.getByLabel('numbers').fill('20\n22')
  expect(await accessibilityViolations(page)).toEqual([])
  await page.getByRole('button', { name: 'Start' }).click()
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/)
  await page.locator('.page-head .status', { hasText: 'Succeeded' }).waitFor()
  const result = page.locator('.card', { has: page.getByRole('heading', { name: 'Result' }) })
  expect(await result.locator('pre').textContent()).toContain('42')
})

test.skipIf(noBrowser)('a schedule is made with a look at its times, and its fire is seen', async () => {
  const scheduler = new ChildProcess({
    name: 'scheduler',
    entry: 'scheduler/main.ts',
    environment: {
      PATH: process.env.PATH,
      DATABASE_URL: server.database.url,
      ...server.bucket.environment,
    },
  })
  await scheduler.ready
  try {
    const page = await browser.open(`${server.url}/schedules`)
    await page.getByRole('button', { name: 'New schedule' }).click()
    const dialog = page.getByRole('dialog', { name: 'New schedule' })
    await dialog.getByRole('combobox').first().selectOption('echo')
    await dialog.getByLabel('Name').fill('every other second')
    await dialog.getByLabel('When').fill('nonsense')
    await dialog.locator('.preview .field-error').waitFor()
    await dialog.getByLabel('When').fill('every 2s')
    await until('five times', async () => (await dialog.locator('.preview li').count()) === 5)
    expect(await accessibilityViolations(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Make the schedule' }).click()
    await page.waitForURL(/\/schedules\/[0-9a-f-]{36}$/)
    const fired = page.locator('.card', { has: page.getByRole('heading', { name: 'Fired' }) })
    await fired.locator('.tag', { hasText: 'enqueued' }).first().waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('.page-head .tag', { hasText: 'paused' }).waitFor()
    await fired.getByRole('link').first().click()
    await page.locator('.page-head .status', { hasText: 'Succeeded' }).waitFor()
  } finally {
    await scheduler.stop(60)
  }
})

test.skipIf(noBrowser)('the times of a schedule are those of its zone, wherever one looks from', async () => {
  const wish = { definitionKey: 'echo', expression: '0 9 * * *', timezone: 'Asia/Tokyo' }
  const made = await server.request('POST', '/v1/schedules', { name: 'morning in Tokyo', ...wish })
  const { scheduleId } = await made.json()
  const page = await browser.open(`${server.url}/schedules/${scheduleId}`)
  const toCome = page.locator('.card', { has: page.getByRole('heading', { name: 'To come' }) })
  await toCome.getByText('09:00:00 GMT+9').first().waitFor()
  expect(await toCome.getByText('Asia/Tokyo').count()).toBe(1)

  await page.goto(`${server.url}/schedules?make=new`)
  const dialog = page.getByRole('dialog', { name: 'New schedule' })
  await dialog.getByLabel('When').fill('0 9 * * *')
  await dialog.getByLabel('Time zone').fill('Asia/Tokyo')
  await dialog.locator('.preview').getByText('09:00:00 GMT+9').first().waitFor()
})

test.skipIf(noBrowser)('a dialog gives the focus back to what had it, or else to the view', async () => {
  const page = await browser.open(`${server.url}/schedules`)
  const hasFocus = (element: Element) => document.activeElement === element
  const openAndClose = async (key: string) => {
    await page.keyboard.press(key)
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  }
  const make = page.getByRole('button', { name: 'New schedule' }).first()
  await make.waitFor()
  await openAndClose('?')
  await until('the view to have it', () => page.locator('#main').evaluate(hasFocus))
  await make.focus()
  await openAndClose('Enter')
  await until('the button to have it', () => make.evaluate(hasFocus))
  const link = page.getByRole('link', { name: 'Queues' }).first()
  await link.focus()
  await openAndClose('?')
  await until('the link to have it', () => link.evaluate(hasFocus))
})

test.skipIf(noBrowser)('a queue is paused, and goes on by the undo of the notice', async () => {
  const page = await browser.open(`${server.url}/queues`)
  const row = page.locator('tr', { hasText: 'default' })
  const pausedAt = async () => {
    const { queues } = await (await server.request('GET', '/v1/queues')).json()
    return queues.find(({ name }: { name: string }) => name === 'default').pausedAt
  }
  await row.getByRole('button', { name: 'Pause' }).click()
  await row.locator('.tag', { hasText: 'paused' }).waitFor()
  expect(await pausedAt()).not.toBeNull()
  await page.getByRole('button', { name: 'Undo' }).click()
  await row.getByRole('button', { name: 'Pause' }).waitFor()
  expect(await pausedAt()).toBeNull()
})

test.skipIf(noBrowser)('another try of what was added to a video says whose watermark it takes', async () => {
  await server.request('POST', '/v1/queues/default/pause')
  const video = await server.enqueue('encode.video', { source: { url: 'https://example.com/a.mp4' } })
  const outputs = { outputs: [{ format: 'mp4', height: 144 }] }
  const added = await server.request('POST', `/v1/videos/${video.id}/outputs`, outputs)
  const { jobId } = await added.json()
  const page = await browser.open(`${server.url}/videos/${video.id}`)
  await page.locator('.addition', { hasText: 'Queued' }).waitFor()
  const note = page.getByText('Another try takes the watermark of the video itself')
  expect(await note.count()).toBe(0)
  await server.request('POST', `/v1/jobs/${jobId}/cancel`)
  await page.getByRole('button', { name: 'Try again' }).waitFor()
  expect(await note.count()).toBe(1)
  await server.request('POST', `/v1/jobs/${video.id}/cancel`)
  await server.request('POST', '/v1/queues/default/resume')
})

test.skipIf(noBrowser)('on a phone the row of a video ends with how it is and since when', async () => {
  const source = { url: 'https://example.com/a.mp4' }
  const video = await server.enqueue('encode.video', { source }, { delaySeconds: 10_000 })
  const page = await browser.open(`${server.url}/videos`, { viewport: { width: 390, height: 844 } })
  const row = page.locator('.video-row', { hasText: video.id.slice(-8) })
  await row.waitFor()
  const rightOf = (part: string) =>
    row.locator(part).evaluate((element) => Math.round(element.getBoundingClientRect().right))
  expect(await rightOf('> .number:last-child')).toBe(await rightOf('> .status'))
  // There is no line for the error that it has not.
  expect(await row.locator('.video-error').isVisible()).toBe(false)
  await server.request('POST', `/v1/jobs/${video.id}/cancel`)
})

test.skipIf(noBrowser)('a webhook is made, and its secret is shown once', async () => {
  const page = await browser.open(`${server.url}/webhooks`)
  await page.getByRole('button', { name: 'New webhook' }).click()
  await page.getByLabel('Address').fill('https://hooks.example.com/jobs')
  await page.getByRole('button', { name: 'Make the webhook' }).click()
  await shows(page, /whsec_/)
  await page.getByRole('button', { name: 'I have it' }).click()
  await page.getByRole('link', { name: 'https://hooks.example.com/jobs' }).click()
  await shows(page, 'Nothing was sent yet.')
  expect(await page.locator('body').textContent()).not.toContain('whsec_')
})

test.skipIf(noBrowser)(
  'every view has no serious fault of accessibility, in both themes and on a phone',
  async () => {
    const phone = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const
    const paths = [
      '/',
      '/jobs',
      '/videos',
      '/dead-letters',
      '/definitions',
      '/schedules',
      '/queues',
      '/workers',
    ]
    for (const options of [{}, phone]) {
      const page = await browser.open(`${server.url}/`, options)
      for (const path of [...paths, '/webhooks', '/keys']) {
        await page.goto(`${server.url}${path}`)
        await page.locator('h1').waitFor()
        await until(`${path} to be there`, async () => (await page.locator('.skeleton').count()) === 0)
        expect(await accessibilityViolations(page), path).toEqual([])
        expect(
          await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
          `${path} fits`,
        ).toBe(true)
        expect(await pixelsBesideTables(page), `pixels of tables beside the screen, ${path}`).toEqual([])
      }
    }
  },
)

test.skipIf(noBrowser)('the reference of the API fits a phone, with all of it unfolded', async () => {
  const page = await browser.open(`${server.url}/docs`, { viewport: { width: 390, height: 844 } })
  const width = () => page.evaluate(() => document.documentElement.scrollWidth)
  expect(await width()).toBeLessThanOrEqual(390)
  await page.locator('details').evaluateAll((all) => {
    for (const details of all) details.setAttribute('open', '')
  })
  expect(await width()).toBeLessThanOrEqual(390)
})

// Last: from then on every request needs a key.
test.skipIf(noBrowser)('the first key is made here, and the page goes on with it', async () => {
  const page = await browser.open(`${server.url}/keys`)
  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByLabel('Name').fill('operator')
  await page.getByRole('button', { name: 'Make the key' }).click()
  const secret = page.locator('.secret code')
  expect(await secret.textContent()).toMatch(/^jsk_/)
  await until('the API to ask for keys', async () => (await server.request('GET', '/v1/jobs')).status === 401)
  const statuses: number[] = []
  page.on('response', (response) => {
    if (response.url() === `${server.url}/v1/keys`) statuses.push(response.status())
  })
  await until('the list to be asked for again', async () => {
    // As when somebody comes back from where the key was put.
    await page.evaluate(() => dispatchEvent(new Event('visibilitychange')))
    return statuses.length > 0
  })
  expect(statuses[0]).toBe(200)
  await page.keyboard.press('Escape')
  await page.mouse.click(5, 5)
  expect(await secret.isVisible()).toBe(true)
  await page.getByRole('button', { name: 'I have it' }).click()
  await page.locator('tr', { hasText: 'operator' }).waitFor()
  await page.setViewportSize({ width: 390, height: 844 })
  expect(await pixelsBesideTables(page), 'pixels of tables beside a phone’s screen').toEqual([])
  await page.locator('tr', { hasText: 'operator' }).getByRole('button', { name: 'Revoke' }).click()
  await page.getByRole('button', { name: 'Revoke it' }).click()
  await page.locator('tr', { hasText: 'operator' }).locator('.tag', { hasText: 'revoked' }).waitFor()
})

/** Of each table that is wider than its place. */
async function pixelsBesideTables(page: TestPage): Promise<number[]> {
  const beside = await page
    .locator('.table-scroller')
    .evaluateAll((tables) => tables.map((table) => table.scrollWidth - table.clientWidth))
  return beside.filter((pixels) => pixels > 0)
}

/** The dashboard in a browser over the shipped processes: overview, jobs, one job. */
import { expect, test } from 'vitest'
import { accessibilityViolations, noBrowser, openBrowser, shows } from '../../support/browser.ts'
import { startServer } from '../../support/server.ts'
import { until } from '../../support/until.ts'

const server = await startServer({ environment: { JOBS_DIR: 'test/fixtures/browser-jobs' } })
const browser = await openBrowser([server.url])

const hostileText = '<script>document.title = "taken over"</script><img src=x onerror="document.title=1">'
/** The newest first, as the list has them. */
async function seedFinished(queue: string, count: number): Promise<void> {
  await server.database.sql`
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
      timeout_seconds, params, queued_at, started_at, finished_at, tags
    )
    select
      uuidv7(make_interval(secs => -n / 1000.0)), 'echo', 1, ${queue}, 'succeeded', 0, 1, 3, 0, 60, '{}', now(), now(), now(), '{}'
    from generate_series(1, ${count}::int) as n`
}

const rightToLeft = 'begin \u202Edesrever\u202C end'

test.skipIf(noBrowser)('the overview counts what ends while one looks', async () => {
  const page = await browser.open(`${server.url}/`)
  await shows(page, 'Live')
  const succeeded = page.locator('.tile', { hasText: 'Succeeded' }).locator('.tile-value')
  await until('the tile to be there', async () => (await succeeded.textContent()) === '0')
  for (let count = 0; count < 3; count++) await server.enqueue('echo', { message: 'x' })
  await until('the tile to say three', async () => (await succeeded.textContent()) === '3')
  await server.enqueue('failing', {}, { maxAttempts: 1 })
  await page.locator('.failing', { hasText: 'This job always fails.' }).waitFor()
  expect(await accessibilityViolations(page)).toEqual([])
})

test.skipIf(noBrowser)('a job is followed live, and cancelled by its button', async () => {
  const job = await server.enqueue('patient', { value: 'seen' })
  const page = await browser.open(`${server.url}/jobs/${job.id}`)
  await page.locator('.job-progress', { hasText: '50 %' }).waitFor()
  await page.locator('.log-line', { hasText: 'line 3: "seen"' }).waitFor()
  await page.locator('.event', { hasText: 'looked around' }).waitFor()
  expect(await accessibilityViolations(page)).toEqual([])

  await page.getByRole('button', { name: 'Cancel' }).click()
  await job.reaches('cancelled')
  await page.locator('.page-head .status', { hasText: 'Cancelled' }).waitFor()
  await page.locator('.event', { hasText: 'Cancelled' }).waitFor()

  await page.getByRole('button', { name: 'Run again' }).first().click()
  await page.waitForURL((url) => url.pathname.startsWith('/jobs/') && !url.pathname.endsWith(job.id))
  const again = server.job(new URL(page.url()).pathname.split('/')[2] ?? '')
  await again.reaches('running')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await again.reaches('cancelled')
})

test.skipIf(noBrowser)('a queued job says what it waits for', async () => {
  const delayed = await server.enqueue('echo', {}, { delaySeconds: 10_000 })
  const dependent = await server.enqueue('echo', {}, { dependsOn: [delayed.id] })
  const page = await browser.open(`${server.url}/jobs/${dependent.id}`)
  await page.locator('.facts div', { hasText: 'Waits for' }).getByRole('link').click()
  await page.waitForURL((url) => url.pathname === `/jobs/${delayed.id}`)
  await page.locator('.facts div', { hasText: 'Waits for' }).getByText('its time').waitFor()
})

test.skipIf(noBrowser)('what is known of a failed attempt is shown, and the fields of its log', async () => {
  const job = await server.enqueue('stumble')
  await job.reaches('failed')
  const page = await browser.open(`${server.url}/jobs/${job.id}`)
  await page.locator('.log-line', { hasText: 'sending to="Ann Lee" orderId=7' }).waitFor()
  const attempt = page.locator('.attempt-bad')
  await attempt.getByText('Exit code 1').waitFor()
  const folded = {
    'Last lines': 'height not divisible by 2 (1280x721)\nConversion failed!',
    Command: 'ffmpeg -hide_banner -i source',
    Stack: 'stumble.ts',
  }
  for (const [name, text] of Object.entries(folded)) {
    const part = attempt.locator('details', { hasText: name })
    expect(await part.locator('pre').isVisible()).toBe(false)
    await part.locator('summary').click()
    expect(await part.locator('pre').textContent()).toContain(text)
  }
  expect(await accessibilityViolations(page)).toEqual([])
})

test.skipIf(noBrowser)('children stand below their parent as a tree', async () => {
  const { id: family } = await server.enqueue('family')
  const page = await browser.open(`${server.url}/jobs/${family}`)
  const tree = page.locator('.tree')
  await until('the three', async () => (await tree.locator('.tree-row').count()) === 3)
  await page.locator('.page-head .status', { hasText: 'Succeeded' }).waitFor()
  // That it waited for them is no failure.
  await page.locator('.attempt-plain', { hasText: 'waiting' }).waitFor()
  expect(await page.locator('.attempt-bad').count()).toBe(0)
  await tree
    .getByRole('button', { name: /^Children of/ })
    .first()
    .click()
  await shows(page, 'no children')
  await tree.getByRole('link').first().click()
  await page
    .locator('.facts')
    .getByRole('link', { name: family.slice(-8) })
    .click()
  await page.waitForURL(new RegExp(`${family}$`))
})

test.skipIf(noBrowser)('what jobs are called, given and give back is text, whatever it says', async () => {
  const value = { markup: hostileText, direction: rightToLeft }
  const job = await server.enqueue(
    'patient',
    { wait: false, value, long: 1024 ** 2 },
    { tags: ['<b>bold</b>', rightToLeft] },
  )
  await job.reaches('succeeded')
  const page = await browser.open(`${server.url}/jobs/${job.id}`)
  await shows(page, hostileText.replaceAll('"', '\\"'))
  const results = page.locator('.card', { has: page.getByRole('heading', { name: 'Result' }) })
  expect(await results.locator('pre').evaluate((pre) => pre.childElementCount)).toBe(1)
  expect(await results.locator('pre bdi').evaluate((text) => text.childElementCount)).toBe(0)
  // A megabyte is shown in part until somebody asks for it.
  expect((await results.locator('pre').textContent())?.length).toBeLessThan(10_000)
  await results.getByRole('button', { name: 'Show all of it' }).click()
  await until(
    'all of it',
    async () => ((await results.locator('pre').textContent())?.length ?? 0) > 1024 ** 2,
  )
  expect(await page.title()).toBe(`patient ${job.id.slice(-8)} · Job Server`)

  await page.goto(`${server.url}/jobs?tag=${encodeURIComponent(rightToLeft)}`)
  await page.locator('.job-link').first().waitFor()
  expect(await page.locator('.about .tag').first().textContent()).toBe('<b>bold</b>')
  expect(await page.locator('tbody tr').count()).toBe(1)
  // What turns the direction of writing around is shut in with its text.
  expect(
    await page
      .locator('.about .tag bdi')
      .last()
      .evaluate((text) => getComputedStyle(text).unicodeBidi),
  ).toBe('isolate')
})

test.skipIf(noBrowser)('filters stand in the address, and many jobs are cancelled at once', async () => {
  const jobs = await Promise.all(
    Array.from({ length: 5 }, () => server.enqueue('echo', {}, { delaySeconds: 10_000, tags: ['bulk'] })),
  )
  const page = await browser.open(`${server.url}/jobs?tag=bulk`)
  await until('the five', async () => (await page.locator('tbody tr').count()) === 5)
  await shows(page, '5 match')
  await page.getByLabel('Status').selectOption('queued')
  await page.waitForURL(/status=queued/)
  await page.getByLabel('Select all that are loaded').check()
  await shows(page, '5 selected')
  expect(await accessibilityViolations(page)).toEqual([])
  await page.getByRole('toolbar').getByRole('button', { name: 'Cancel' }).click()
  await page
    .getByRole('dialog', { name: 'Cancel 5 jobs?' })
    .getByRole('button', { name: 'Cancel them' })
    .click()
  await Promise.all(jobs.map((job) => job.reaches('cancelled')))
  await shows(page, 'No job matches.')
  await page.goBack()
})

test.skipIf(noBrowser)('all that match are cancelled as they were meant at the press', async () => {
  const enqueue = (queue: string) => server.enqueue('echo', {}, { queue, delaySeconds: 10_000 })
  const meant = await Promise.all(Array.from({ length: 3 }, () => enqueue('meant')))
  const other = await enqueue('other')
  const page = await browser.open(`${server.url}/jobs?queue=meant`)
  await shows(page, '3 match')
  await page.getByRole('button', { name: 'Cancel all that match' }).click()
  const dialog = page.getByRole('dialog', { name: 'Cancel all that match?' })
  await dialog.getByText('3 match the queue meant.').waitFor()
  expect(await accessibilityViolations(page)).toEqual([])
  await dialog.getByRole('button', { name: 'Cancel them' }).click()
  await Promise.all(meant.map((job) => job.reaches('cancelled')))
  await shows(page, '3 jobs cancelled.')
  expect((await other.read()).status).toBe('queued')
})

test.skipIf(noBrowser)('text that stands in the search box counts, entered or not', async () => {
  const enqueue = (tag: string) =>
    server.enqueue('echo', {}, { queue: 'typed', tags: [tag], delaySeconds: 10_000 })
  const meant = await enqueue('one')
  const other = await enqueue('two')
  const page = await browser.open(`${server.url}/jobs?queue=typed`)
  await shows(page, '2 match')
  await page.getByRole('searchbox').fill('tag:one')
  await page.getByRole('button', { name: 'Cancel all that match' }).click()
  const dialog = page.getByRole('dialog', { name: 'Cancel all that match?' })
  await dialog.getByText('1 match the queue typed, the tag one.').waitFor()
  await page.waitForURL(/tag=one/)
  await dialog.getByRole('button', { name: 'Cancel them' }).click()
  await meant.reaches('cancelled')
  expect((await other.read()).status).toBe('queued')
})

test.skipIf(noBrowser)('rows stay under the pointer, and new ones come when it has left', async () => {
  const enqueue = () => server.enqueue('echo', {}, { tags: ['under'], delaySeconds: 10_000 })
  const first = await enqueue()
  const page = await browser.open(`${server.url}/jobs?tag=under`)
  const links = page.locator('.job-link')
  await shows(page, 'Live')
  await until('its row', async () => (await links.count()) === 1)
  await links.first().hover()
  await enqueue()
  await page.getByRole('button', { name: 'New jobs' }).waitFor()
  expect(await links.first().getAttribute('title')).toBe(first.id)
  await page.locator('h1').hover()
  await until('both rows', async () => (await links.count()) === 2)
  await until('no word of new ones', async () => {
    return (await page.getByRole('button', { name: 'New jobs' }).count()) === 0
  })
})

test.skipIf(noBrowser)('rows that are selected stay when a connection that was lost is back', async () => {
  const { id } = await server.enqueue('echo', {}, { tags: ['gap'], delaySeconds: 10_000 })
  const page = await browser.open(`${server.url}/jobs?tag=gap`)
  const row = page.locator('.job-link')
  await shows(page, 'Live')
  await page.locator('tbody').getByRole('checkbox').check()
  await server.restartApi('SIGKILL')
  // Nothing has happened, but nobody could have told.
  await page.getByRole('button', { name: 'New jobs' }).waitFor()
  expect(await row.getAttribute('title')).toBe(id)
  await page.getByRole('button', { name: 'Select none' }).click()
  await until('no word of new ones', async () => {
    return (await page.getByRole('button', { name: 'New jobs' }).count()) === 0
  })
})

test.skipIf(noBrowser)('a log that is refused is not said to be tried again, nor to be empty', async () => {
  const job = await server.enqueue('echo')
  await job.reaches('succeeded')
  const page = await browser.open(`${server.url}/`)
  const refusal = { detail: 'Not for this key.', code: 'forbidden' }
  await page.route(`**/v1/jobs/${job.id}/events`, (route) => route.fulfill({ status: 403, json: refusal }))
  await page.goto(`${server.url}/jobs/${job.id}`)
  await shows(page, 'It could not be read.')
  expect(await page.getByText(/tried again|has written nothing/).count()).toBe(0)
})

test.skipIf(noBrowser)('a log that can’t be read is not said to be empty', async () => {
  const job = await server.enqueue('patient', { wait: false, value: 'read late' })
  await job.reaches('succeeded')
  const page = await browser.open(`${server.url}/`)
  // As a proxy answers that shuts its door for a while.
  const events = `**/v1/jobs/${job.id}/events`
  await page.route(events, (route) => route.fulfill({ status: 403, body: '<h1>Not now</h1>' }))
  await page.goto(`${server.url}/jobs/${job.id}`)
  await shows(page, 'It could not be read yet; it is tried again.')
  expect(await page.getByText('It has written nothing.').count()).toBe(0)
  await page.unroute(events)
  await page.locator('.log-line', { hasText: 'line 3: "read late"' }).waitFor()
})

test.skipIf(noBrowser)('numbers that can’t be read again are said to be old', async () => {
  const page = await browser.open(`${server.url}/queues`)
  await shows(page, 'Live')
  await page.route('**/v1/queues', (route) =>
    route.fulfill({ status: 503, json: { detail: 'Not now.', code: 'x' } }),
  )
  await shows(page, 'What you see may be old')
  await shows(page, 'Out of date')
  await page.unroute('**/v1/queues')
  await until('the notice to be gone', async () => (await page.locator('.notice').count()) === 0)
  await shows(page, 'Live')
})

test.skipIf(noBrowser)('what is no filter does not count as one: all jobs do not match it', async () => {
  await (await server.enqueue('echo')).reaches('succeeded')
  const page = await browser.open(`${server.url}/jobs?stauts=failed`)
  await shows(page, /\d in all/)
  expect(await page.getByRole('button', { name: 'Cancel all that match' }).count()).toBe(0)
})

test.skipIf(noBrowser)('the keyboard reaches every view, the search and a job', async () => {
  const job = await server.enqueue('echo', {}, { tags: ['keyboard'] })
  await job.reaches('succeeded')
  const page = await browser.open(`${server.url}/`)
  await shows(page, 'Live')
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.type('gj')
  await page.waitForURL(/\/jobs$/)
  await page.locator('.job-link').first().waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('tag:keyboard\n')
  await page.waitForURL(/tag=keyboard/)
  await until('one row', async () => (await page.locator('tbody tr').count()) === 1)
  await page.locator('h1').click()
  await page.keyboard.press('j')
  await page.locator('tr.is-active').waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL(new RegExp(`/jobs/${job.id}$`))
})

test.skipIf(noBrowser)(
  'a connection that is lost is said, and made again when the server is back',
  async () => {
    const page = await browser.open(`${server.url}/jobs?tag=outage`)
    await shows(page, 'Live')
    await server.restartApi('SIGKILL')
    await shows(page, 'Live')
    const job = await server.enqueue('echo', {}, { tags: ['outage'] })
    await until('its row', async () => (await page.locator('tbody tr').count()) === 1)
    await job.reaches('succeeded')
    await page.locator('tbody tr', { hasText: 'Succeeded' }).waitFor()
  },
)

test.skipIf(noBrowser)(
  'twenty thousand jobs are a list of which little more than what is seen exists',
  async () => {
    await seedFinished('many', 20_000)
    const page = await browser.open(`${server.url}/jobs?queue=many`)
    await shows(page, /9,\d{3}\+ match|10,000\+ match/)
    const rows = page.locator('tbody tr')
    await rows.first().waitFor()
    const scroller = page.locator('.job-scroller')
    const seen = new Set<string>()
    await until('eight pages to be loaded by scrolling', async () => {
      await scroller.evaluate((element) => element.scrollTo(0, element.scrollHeight))
      expect(await rows.count(), 'rows that exist').toBeLessThan(100)
      const titles = await page
        .locator('.job-link')
        .evaluateAll((links) => links.map((link) => link.getAttribute('title')))
      for (const title of titles) seen.add(title ?? '')
      return Number(await rows.last().getAttribute('aria-rowindex')) > 3000
    })
    expect(seen.size).toBeGreaterThan(100)
    // The columns still stand under their headings.
    const lefts = (cells: string) =>
      page
        .locator(cells)
        .evaluateAll((all) => all.map((cell) => Math.round(cell.getBoundingClientRect().left)))
    expect((await lefts('thead .cell')).slice(0, 4)).toEqual(
      (await lefts('tbody tr:last-child .cell')).slice(0, 4),
    )

    // The oldest of them alone.
    await server.database.sql`
      update job_server.job_history set error_summary = 'A needle.', status = 'failed'
      where id = (select id from job_server.job_history where queue = 'many' order by id limit 1)`
    await page.getByRole('searchbox').fill('needle')
    await page.keyboard.press('Enter')
    await page.getByText('A needle.').waitFor()
    expect(await rows.count()).toBe(1)
  },
)

test.skipIf(noBrowser)('each further page of the list is larger, up to five hundred', async () => {
  await seedFinished('growing', 3000)
  const page = await browser.open(`${server.url}/jobs`)
  const limits: string[] = []
  page.on('request', (request) => {
    const query = new URL(request.url()).searchParams
    if (query.get('queue') === 'growing' && query.get('total') === 'false')
      limits.push(query.get('limit') ?? '')
  })
  await page.goto(`${server.url}/jobs?queue=growing`)
  const rows = page.locator('tbody tr')
  await rows.first().waitFor()
  expect(limits).toEqual(['100'])
  await until('the last of them', async () => {
    await page.locator('.job-scroller').evaluate((element) => element.scrollTo(0, element.scrollHeight))
    return (await rows.last().getAttribute('aria-rowindex')) === '3001'
  })
  expect(limits.slice(0, 5)).toEqual(['100', '200', '400', '500', '500'])
})

test.skipIf(noBrowser)('a span of time begins at the same time on all pages of a list', async () => {
  await seedFinished('spanned', 1000)
  const page = await browser.open(`${server.url}/jobs`)
  const begins: (string | null)[] = []
  page.on('request', (request) => {
    const query = new URL(request.url()).searchParams
    if (query.get('queue') === 'spanned' && query.get('total') === 'false')
      begins.push(query.get('queuedAfter'))
  })
  await page.goto(`${server.url}/jobs?queue=spanned&since=15m`)
  await page.locator('tbody tr').first().waitFor()
  await until('further pages', async () => {
    await page.locator('.job-scroller').evaluate((element) => element.scrollTo(0, element.scrollHeight))
    return begins.length >= 3
  })
  expect(new Set(begins).size).toBe(1)
  expect(Date.now() - Date.parse(begins[0] ?? '')).toBeGreaterThanOrEqual(900_000)
})

test.skipIf(noBrowser)('the focus stays with its job while the list scrolls, and goes with it', async () => {
  await seedFinished('focused', 100)
  const page = await browser.open(`${server.url}/jobs?queue=focused`)
  const links = page.locator('.job-link')
  const scroller = page.locator('.job-scroller')
  const scrollBy = (pixels: number) => scroller.evaluate((element, by) => element.scrollBy(0, by), pixels)
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('title'))
  await links.first().waitFor()
  const firstBefore = await links.first().getAttribute('title')
  await links.nth(9).focus()
  const job = await links.nth(9).getAttribute('title')
  await scrollBy(6 * 44)
  await until('other rows', async () => (await links.first().getAttribute('title')) !== firstBefore)
  expect(await focused()).toBe(job)
  await scrollBy(-6 * 44)
  await until('the first rows', async () => (await links.first().getAttribute('title')) === firstBefore)
  expect(await focused()).toBe(job)
  await scrollBy(60 * 44)
  await until('nothing to have the focus', () =>
    page.evaluate(() => document.activeElement === document.body),
  )
})

test.skipIf(noBrowser)(
  'the row that keys have marked is of the same job when others come and go',
  async () => {
    const enqueue = () => server.enqueue('echo', {}, { delaySeconds: 10_000, tags: ['marked'] })
    const oldest = await enqueue()
    const middle = await enqueue()
    await enqueue()
    const page = await browser.open(`${server.url}/jobs?tag=marked&status=queued`)
    const links = page.locator('.job-link')
    const marked = () => page.locator('tr.is-active .job-link').getAttribute('title')
    await shows(page, 'Live')
    await until('three rows', async () => (await links.count()) === 3)
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    expect(await marked()).toBe(middle.id)

    const newest = await enqueue()
    await until('the new row', async () => (await links.first().getAttribute('title')) === newest.id)
    expect(await marked()).toBe(middle.id)
    await page.keyboard.press('x')
    await page.locator('tr.is-active.is-selected').waitFor()
    // Rows that are chosen among stay where they are.
    await page.keyboard.press('x')
    await until('it not to be selected', async () => (await page.locator('tr.is-selected').count()) === 0)

    await server.request('POST', `/v1/jobs/${middle.id}/cancel`)
    await until('its row to be gone', async () => (await links.count()) === 3)
    expect(await page.locator('tr.is-active').count()).toBe(0)
    // On from where it was.
    await page.keyboard.press('j')
    expect(await marked()).toBe(oldest.id)
  },
)

test.skipIf(noBrowser)(
  'a row opens its job in the same page, and in a new tab where that is asked for',
  async () => {
    await seedFinished('opened', 3)
    const page = await browser.open(`${server.url}/jobs?queue=opened`)
    const link = page.locator('.job-link').nth(1)
    const job = await link.getAttribute('title')
    const opened = page.context().waitForEvent('page')
    await link.click({ modifiers: ['ControlOrMeta'] })
    const tab = await opened
    await tab.waitForURL(`${server.url}/jobs/${job}`)
    await tab.close()
    expect(new URL(page.url()).pathname).toBe('/jobs')
    await page.evaluate(() => Object.assign(globalThis, { isSamePage: true }))
    await link.click()
    await page.waitForURL(`${server.url}/jobs/${job}`)
    expect(await page.evaluate(() => 'isSamePage' in globalThis)).toBe(true)
  },
)

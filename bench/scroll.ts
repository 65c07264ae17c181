/**
 * The list of jobs in a browser, wheeled through from the first to the last of 100,000 rows, which are loaded on the
 * way: times between frames, against an empty page of the same height that is wheeled through the same, and against as many
 * rows of plain text that stand there from the beginning: what a browser without a graphics card can paint at all.
 */
import type { Browser, Page } from 'playwright-core'
import { buildWebIfStale } from '../scripts/web-files.ts'
import { launchChromium } from '../test/support/chromium.ts'
import { type Bench, interleave } from './bench.ts'
import type { BenchDatabase } from './database.ts'
import { compare, percentile } from './measurement.ts'

const rowCount = 100_000
const rowHeight = 44
/** Of one turn of the wheel: a screen and a half. */
const stepPixels = 1200
const queue = 'scrolled'
/** Somebody who turns the wheel all the time turns it so often, in milliseconds. */
const wheelMs = 25

interface Pass {
  /** Between one frame and the next, in milliseconds. */
  frames: number[]
  /** Elements of the page, before and at most. */
  elements: { before: number; most: number }
}

export const scrollBench: Bench = {
  name: 'scroll',
  about: `frames of a browser while ${rowCount.toLocaleString('en-US')} jobs are scrolled through`,
  defaultRounds: 2,
  limitSeconds: 1800,
  async run({ stack, rounds, onStep }) {
    await buildWebIfStale()
    return await stack.withDatabase(async (database) => {
      await seed(database)
      const { url } = await database.startApi()
      const browser = await launchChromium(stack.directory)
      try {
        const passes = await interleave(
          { rounds, onStep },
          {
            list: () => onPage(browser, (page) => scrollList(page, url)),
            plain: () => onPage(browser, scrollPlain),
            empty: () => onPage(browser, scrollEmpty),
          },
          { what: 'scrolling', warmUp: false },
        )
        return measurementsOf(passes)
      } finally {
        await browser.close()
      }
    })
  },
}

function measurementsOf({ list, plain, empty }: Record<'list' | 'plain' | 'empty', Pass[]>) {
  const ours = (of: (frames: number[]) => number) => ({
    label: 'the list of jobs',
    values: list.map(({ frames }) => of(frames)),
  })
  const peers = [
    { label: 'as many rows of plain text', passes: plain },
    { label: 'an empty page of its height', passes: empty },
  ]
  const frames = (name: string, of: (frames: number[]) => number, better: 'lower' | 'higher', unit: string) =>
    peers.map(({ label, passes }) =>
      compare({ name, unit, better }, ours(of), { label, values: passes.map((pass) => of(pass.frames)) }),
    )
  return [
    ...frames('time of a frame, p50', (times) => percentile(times, 0.5), 'lower', 'ms'),
    ...frames('time of a frame, p95', (times) => percentile(times, 0.95), 'lower', 'ms'),
    ...frames('time of a frame, p99', (times) => percentile(times, 0.99), 'lower', 'ms'),
    ...frames('the longest frame', (times) => Math.max(...times), 'lower', 'ms'),
    ...frames('frames in time, of 100', (times) => shareInTime(times) * 100, 'higher', '%'),
    compare(
      { name: 'elements of the page', unit: '', better: 'about 1' },
      { label: 'at most, while scrolling', values: list.map(({ elements }) => elements.most) },
      { label: 'before', values: list.map(({ elements }) => elements.before) },
    ),
  ]
}

/** A frame that takes one and a half times as long as one of 60 a second has let another one pass. */
function shareInTime(times: number[]): number {
  return times.filter((time) => time < 25).length / times.length
}

async function seed({ sql }: BenchDatabase): Promise<void> {
  await sql`
    insert into job_server.job_history (
      id, definition_key, definition_version, queue, status, priority, attempts, max_attempts, crash_count,
      timeout_seconds, params, error_code, error_summary, queued_at, started_at, finished_at, tags
    )
    select
      uuidv7(make_interval(secs => -n / 1000.0)), 'echo', 1, ${queue},
      case when n % 7 = 0 then 'failed' else 'succeeded' end, 0, 1, 3, 0, 60, '{}',
      case when n % 7 = 0 then 'always_fails' end, case when n % 7 = 0 then 'It failed at step ' || n end,
      now(), now(), now(), case when n % 3 = 0 then '{nightly,billing}'::text[] else '{}' end
    from generate_series(1, ${rowCount}::int) as n`
  await sql`analyze job_server.job_history`
}

async function onPage(browser: Browser, scroll: (page: Page) => Promise<Pass>): Promise<Pass> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  try {
    return await scroll(page)
  } finally {
    await page.close()
  }
}

async function scrollList(page: Page, url: string): Promise<Pass> {
  await page.goto(`${url}/jobs?queue=${queue}`)
  await page.locator('.job-rows .job-row').first().waitFor()
  return await wheelThrough(page, '.job-scroller', async () => {
    const row = page.locator('.job-rows .job-row').last()
    return Number(await row.getAttribute('aria-rowindex')) > rowCount
  })
}

/** In blocks that the browser passes over whole: it need not look at each row for each frame. */
async function scrollPlain(page: Page): Promise<Pass> {
  const row = (n: number) =>
    `<div>Succeeded echo ${n} It failed at step ${n} scrolled 1/3 0 ms 32 m ago</div>`
  const block = (from: number) =>
    `<section>${Array.from({ length: 100 }, (_, n) => row(from + n)).join('')}</section>`
  const blocks = Array.from({ length: rowCount / 100 }, (_, n) => block(n * 100))
  const style = `section { height: ${100 * rowHeight}px; contain: strict } section div { height: ${rowHeight}px }`
  return await scrollStanding(page, `<style>${style}</style>${blocks.join('')}`)
}

async function scrollEmpty(page: Page): Promise<Pass> {
  return await scrollStanding(page, `<div style="height: ${rowCount * rowHeight}px"></div>`)
}

async function scrollStanding(page: Page, content: string): Promise<Pass> {
  await page.setContent(`<div id="scroller" style="height: 800px; overflow: auto">${content}</div>`)
  return await wheelThrough(page, '#scroller', async () =>
    page.locator('#scroller').evaluate((each) => each.scrollTop + each.clientHeight >= each.scrollHeight - 1),
  )
}

/** Looks now and then whether the end is reached, so that looking takes no part in what is measured. */
async function wheelThrough(page: Page, scroller: string, isAtEnd: () => Promise<boolean>): Promise<Pass> {
  const box = await page.locator(scroller).boundingBox()
  if (box === null) throw new Error(`${scroller} is not to be seen`)
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  const before = await countElements(page)
  await page.evaluate(recordFrames)
  let most = before
  for (let turn = 1; ; turn++) {
    await Promise.all([page.mouse.wheel(0, stepPixels), Bun.sleep(wheelMs)])
    if (turn % 100 !== 0) continue
    most = Math.max(most, await countElements(page))
    if (await isAtEnd()) break
  }
  const frames = await page.evaluate(() => (globalThis as unknown as { frameTimes: number[] }).frameTimes)
  return { frames, elements: { before, most } }
}

async function countElements(page: Page): Promise<number> {
  return await page.evaluate(() => document.querySelectorAll('*').length)
}

/** Runs in the page. */
function recordFrames(): void {
  const times: number[] = []
  Object.assign(globalThis, { frameTimes: times })
  let last = performance.now()
  const onFrame = (now: number) => {
    times.push(now - last)
    last = now
    requestAnimationFrame(onFrame)
  }
  requestAnimationFrame(onFrame)
}

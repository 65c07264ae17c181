/**
 * The list of jobs in a browser with all of 100,000 rows loaded, wheeled through as fast as a hand does and much faster:
 * times between frames, against an empty page of the same height that is wheeled through the same, and against as many
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
const queue = 'scrolled'
/** One notch after the other, 170 rows a second; and a screen and a half at once, 1,100 of them. */
const speeds = {
  byHand: { what: 'by hand', pixels: 120, everyMs: 16 },
  hard: { what: 'six times as fast', pixels: 1200, everyMs: 25 },
} as const
const secondsOfEach = 15
const pollMs = 20

interface Pass {
  /** Between one frame and the next, in milliseconds. */
  frames: Record<keyof typeof speeds, number[]>
  /** Elements of the page, before and at most. */
  elements: { before: number; most: number }
}

export const scrollBench: Bench = {
  name: 'scroll',
  about: `frames of a browser while a list of ${rowCount.toLocaleString('en-US')} jobs is scrolled through`,
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

type Passes = Record<'list' | 'plain' | 'empty', Pass[]>

function measurementsOf(passes: Passes) {
  return [
    ...framesOf(passes, 'byHand'),
    ...framesOf(passes, 'hard'),
    compare(
      { name: 'elements of the page', unit: '', better: 'about 1' },
      { label: 'at most, while scrolling', values: passes.list.map(({ elements }) => elements.most) },
      { label: 'before', values: passes.list.map(({ elements }) => elements.before) },
    ),
  ]
}

function framesOf({ list, plain, empty }: Passes, speed: keyof typeof speeds) {
  const side = (label: string, runs: Pass[], of: (frames: number[]) => number) => ({
    label,
    values: runs.map(({ frames }) => of(frames[speed])),
  })
  const beside = (
    what: string,
    { of, unit, better }: { of: (frames: number[]) => number; unit: string; better: 'lower' | 'higher' },
  ) => {
    const name = `wheeled ${speeds[speed].what}: ${what}`
    const ours = side('the list of jobs', list, of)
    return [
      compare({ name, unit, better }, ours, side('as many rows of plain text', plain, of)),
      compare({ name, unit, better }, ours, side('an empty page of its height', empty, of)),
    ]
  }
  const time = (of: (times: number[]) => number) => ({ of, unit: 'ms', better: 'lower' }) as const
  return [
    ...beside(
      'time of a frame, p50',
      time((times) => percentile(times, 0.5)),
    ),
    ...beside(
      'time of a frame, p95',
      time((times) => percentile(times, 0.95)),
    ),
    ...beside(
      'time of a frame, p99',
      time((times) => percentile(times, 0.99)),
    ),
    ...beside(
      'the longest frame',
      time((times) => Math.max(...times)),
    ),
    ...beside('frames in time, of 100', {
      of: (times) => shareInTime(times) * 100,
      unit: '%',
      better: 'higher',
    }),
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
  await loadAll(page)
  return await wheelThrough(page, '.job-scroller')
}

/** To the end of what is there, again and again, until nothing more comes. */
async function loadAll(page: Page): Promise<void> {
  const scroller = page.locator('.job-scroller')
  const last = page.locator('.job-rows .job-row').last()
  while (Number(await last.getAttribute('aria-rowindex')) <= rowCount) {
    await scroller.evaluate((each) => each.scrollTo(0, each.scrollHeight))
    await Bun.sleep(pollMs)
  }
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
  await page.locator('#scroller').evaluate((each) => each.scrollTo(0, each.scrollHeight))
  return await wheelThrough(page, '#scroller')
}

/** From the end back. */
async function wheelThrough(page: Page, scroller: string): Promise<Pass> {
  const box = await page.locator(scroller).boundingBox()
  if (box === null) throw new Error(`${scroller} is not to be seen`)
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  const before = await countElements(page)
  const byHand = await wheel(page, speeds.byHand)
  const afterHand = await countElements(page)
  const hard = await wheel(page, speeds.hard)
  const most = Math.max(before, afterHand, await countElements(page))
  return { frames: { byHand, hard }, elements: { before, most } }
}

/** @returns times between frames */
async function wheel(
  page: Page,
  { pixels, everyMs }: { pixels: number; everyMs: number },
): Promise<number[]> {
  await page.evaluate(recordFrames)
  const end = performance.now() + secondsOfEach * 1000
  while (performance.now() < end) await Promise.all([page.mouse.wheel(0, -pixels), Bun.sleep(everyMs)])
  return await page.evaluate(() => (globalThis as unknown as { frameTimes: number[] }).frameTimes)
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
    // Another recording has begun.
    if ((globalThis as unknown as { frameTimes: number[] }).frameTimes !== times) return
    times.push(now - last)
    last = now
    requestAnimationFrame(onFrame)
  }
  requestAnimationFrame(onFrame)
}

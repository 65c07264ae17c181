/** Videos in the dashboard: in by a file, watched while they are encoded, played; and uploads by pages of others. */
import { afterAll, expect, test } from 'vitest'
import {
  accessibilityViolations,
  noBrowser,
  openBrowser,
  shows,
  type TestPage,
} from '../../support/browser.ts'
import { testClips } from '../../support/clips.ts'
import { startServer } from '../../support/server.ts'
import { allowPages } from '../../support/storage.ts'
import { until } from '../../support/until.ts'
import { encodeByLink } from '../../support/video-client.ts'

const mebibyte = 1024 ** 2
/** 64 MiB take their time where much else goes on. */
const patienceSeconds = 90

const clips = await testClips()
const foreign = servePage()
/** Slow where an encode has to be seen on its way. */
const ffmpeg = await clips.slowFfmpeg()
await ffmpeg.hurry()
const server = await startServer({
  environment: { FFMPEG_PATH: ffmpeg.path, CORS_ORIGINS: foreign.origin },
})
const storage = new URL(server.bucket.config.S3_ENDPOINT ?? '').origin
const browser = await openBrowser([server.url, storage, foreign.origin, foreign.strange])
await allowPages(server.bucket)

test.skipIf(noBrowser)('a file is uploaded, its encode is watched, and its result plays', async () => {
  await ffmpeg.dawdle()
  const page = await browser.open(`${server.url}/videos`)
  await page.getByLabel('Video files').setInputFiles(await clips.make({ name: 'holiday.mp4', seconds: 3 }))
  await page.getByRole('link', { name: 'Show it' }).click()
  await page.waitForURL(/\/videos\/[0-9a-f-]{36}$/)
  const meter = page.locator('.job-progress progress')
  const seen = new Set<number>()
  await until('progress that moves', async () => {
    const value = await meter.evaluate((element) => (element as HTMLProgressElement).value)
    if (value > 0 && value < 1) seen.add(value)
    return seen.size >= 2
  })
  await ffmpeg.hurry()
  const video = page.locator('video')
  await video.waitFor()
  expect(await timeAfterPlaying(page)).toBeGreaterThan(0.5)
  await shows(page, 'holiday-1080p.mp4')

  const frames = page.getByRole('group', { name: 'Storyboard' }).getByRole('button')
  await frames.nth(1).waitFor()
  const time = () => video.evaluate((each) => (each as HTMLVideoElement).currentTime)
  await video.evaluate((each) => (each as HTMLVideoElement).pause())
  await frames.last().click()
  expect(await time()).toBe(2)
  await page.keyboard.press('Home')
  await until('the beginning', async () => (await time()) === 0)
  expect(await frames.first().evaluate((frame) => document.activeElement === frame)).toBe(true)

  await page.getByRole('button', { name: 'Add an output' }).click()
  await page.getByLabel(/^Size/).selectOption('144p')
  expect(await accessibilityViolations(page)).toEqual([])
  await page.getByLabel('Five thumbnails').check()
  await page.getByRole('button', { name: 'Add it' }).click()
  await page.locator('.addition', { hasText: 'Succeeded' }).waitFor()
  await page.getByAltText('Thumbnail 5 of 5').waitFor()
  await page.getByRole('button', { name: /^Encode .*h264-144p.mp4 again$/ }).click()
  await until('both', async () => (await page.locator('.addition').count()) === 2)
  await shows(
    page,
    'A file that is encoded again takes the trim, watermark, loudness, subtitles and sound of the video',
  )

  const source = () => video.evaluate((each) => (each as HTMLVideoElement).currentSrc)
  const before = await source()
  await page.getByRole('button', { name: 'Encode holiday-1080p.mp4 again' }).click()
  await until('the new file in the player', async () => !['', before].includes(await source()))
  expect(await timeAfterPlaying(page)).toBeGreaterThan(0.5)

  const saved = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download holiday-1080p.mp4' }).first().click()
  expect((await saved).suggestedFilename()).toBe('holiday-1080p.mp4')

  await page.goto(`${server.url}/videos`)
  const picture = page.locator('.video-picture img')
  await until('the poster', () => picture.evaluate((image) => (image as HTMLImageElement).naturalWidth > 0))
})

test.skipIf(noBrowser)('a stream in several sizes plays', async () => {
  const page = await browser.open(`${server.url}/videos`)
  await page
    .getByLabel('What is made of them')
    .selectOption({ label: 'Streaming in several sizes (HLS, DASH)' })
  await page.getByLabel('Video files').setInputFiles(await clips.make({ name: 'stream.mp4', seconds: 2 }))
  await page.getByRole('link', { name: 'Show it' }).click()
  await page.locator('video').waitFor()
  expect(await timeAfterPlaying(page)).toBeGreaterThan(0.3)
  expect(await page.locator('video').evaluate((video) => (video as HTMLVideoElement).currentSrc)).toContain(
    'blob:',
  )
})

test.skipIf(noBrowser)('a stream plays on while its status is read again', async () => {
  const page = await openStream('plays-on.mp4', 3)
  const read = countReads(page)
  await timeAfterPlaying(page)
  await page.getByRole('button', { name: 'Add an output' }).click()
  await page
    .getByRole('dialog')
    .getByLabel(/^Video/)
    .selectOption({ label: 'Pictures only' })
  await page.getByLabel('Five thumbnails').check()
  await ffmpeg.dawdle()
  await page.getByRole('button', { name: 'Add it' }).click()
  await page.getByAltText('Thumbnail 5 of 5').waitFor()
  await until('the status to be read some more', () => read.status >= 3)
  await ffmpeg.hurry()
  expect(read).toMatchObject({ playlist: 0, storyboard: 0 })
  expect(await page.locator('video').evaluate(currentTime)).toBeGreaterThan(0.6)
})

test.skipIf(noBrowser)('a stream whose links have run out goes on where it was, by fresh ones', async () => {
  const runOut = Promise.withResolvers<void>()
  const tokens = new Set<string | null>()
  const page = await openStream('goes-on.mp4', 8, async (opened) => {
    opened.on('request', (request) => {
      const { pathname, searchParams } = new URL(request.url())
      if (pathname.endsWith('/playlist.m3u8')) tokens.add(searchParams.get('token'))
    })
    const answered = new Map<string, number>()
    // Of each file its beginning and the first segment, of two; the others once the links are fresh.
    await opened.route(/\.mp4\?.*X-Amz-Signature=/, async (route) => {
      const { pathname } = new URL(route.request().url())
      const count = (answered.get(pathname) ?? 0) + 1
      answered.set(pathname, count)
      if (tokens.size > 1 || count <= 2) return await route.continue()
      await runOut.promise
      await route.fulfill({ status: 403, headers: { 'access-control-allow-origin': '*' } })
    })
  })
  const video = page.locator('video')
  await video.evaluate((each) => {
    const element = each as HTMLVideoElement
    element.muted = true
    element.currentTime = 3
    return element.play()
  })
  await until('time to pass in it', async () => (await video.evaluate(currentTime)) > 3.1)
  await page.evaluate(() => {
    const now = Date.now
    Date.now = () => now() + 3_600_000
  })
  runOut.resolve()
  await until('the end', () => video.evaluate((each) => (each as HTMLVideoElement).ended))
  expect(await video.evaluate((each) => (each as HTMLVideoElement).played.start(0))).toBeGreaterThan(2.9)
  expect(tokens.size).toBe(2)
  expect(await page.locator('[role=alert]').count()).toBe(0)
})

test.skipIf(noBrowser)(
  'a file plays on while one comes and goes, and by a fresh link once its own has run out',
  async () => {
    const job = await encodeByLink(server, await clips.make({ name: 'file.mp4', seconds: 6 }))
    await job.reaches('succeeded', 120)
    const page = await browser.open(`${server.url}/videos/${job.id}`)
    const video = page.locator('video')
    await timeAfterPlaying(page)
    const links: string[] = []
    page.on('request', (request) => {
      if (request.url().includes('X-Amz-Signature=') && request.resourceType() === 'fetch')
        links.push(request.url())
    })
    const read = countReads(page)
    // To the page it is an hour later, and the link as good as before.
    await page.evaluate(() => {
      const now = Date.now
      Date.now = () => now() + 3_600_000
    })
    await until('the status to be read again', async () => {
      await page.evaluate(() => dispatchEvent(new Event('visibilitychange')))
      return read.status > 0
    })
    expect(links).toEqual([])

    // All of so small a file is there before a link could run out.
    await video.evaluate((each) => {
      ;(each as HTMLVideoElement).currentTime = 3
      each.dispatchEvent(new Event('error'))
    })
    await until('another link', () => links.length > 0)
    await until('the end', () => video.evaluate((each) => (each as HTMLVideoElement).ended))
    expect(await video.evaluate((each) => (each as HTMLVideoElement).played.start(0))).toBeGreaterThan(2.9)
    expect(links).toHaveLength(1)
    expect(await video.getAttribute('src')).toBe(links[0])
  },
)

test.skipIf(noBrowser)(
  'an upload in parts is paused, and goes on with the parts that have not arrived',
  async () => {
    const clip = await Bun.file(await clips.make({ name: 'large.mp4', seconds: 1 })).bytes()
    const bytes = Buffer.concat([clip, Buffer.alloc(66 * mebibyte - clip.length)])
    const page = await browser.open(`${server.url}/videos`)
    const parts = await holdSecondPart(page)
    await page.getByLabel('Video files').setInputFiles(await clips.write('parts.mp4', bytes))
    await firstPartToArrive(page)
    await page.getByRole('button', { name: 'Pause parts.mp4' }).click()
    await shows(page, 'Paused')
    parts.letGo()
    await page.getByRole('button', { name: 'Go on with parts.mp4' }).click()
    await page.getByRole('link', { name: 'Show it' }).waitFor()
    expect(parts.sent).toEqual(['1', '2'])
    await page.getByRole('link', { name: 'Show it' }).click()
    await page.getByRole('link', { name: /^[0-9a-f-]{36}$/ }).click()
    await page
      .getByRole('button', { name: /Cancel|Run again/ })
      .first()
      .waitFor()
  },
)

test.skipIf(noBrowser)(
  'an upload goes on in a reloaded page once the same file is chosen, without what had arrived',
  async () => {
    const clip = await Bun.file(await clips.make({ name: 'again.mp4', seconds: 1 })).bytes()
    const bytes = Buffer.concat([clip, unusedBox(66 * mebibyte - clip.length)])
    const file = await clips.write('interrupted.mp4', bytes)
    const changed = Buffer.from(bytes)
    changed[changed.length - 1] = 1
    const page = await browser.open(`${server.url}/videos`)
    const parts = await holdSecondPart(page)
    await page.getByLabel('Video files').setInputFiles(file)
    await firstPartToArrive(page)
    await page.reload()
    await shows(page, /Interrupted · 67\.1 MB of 69\.2 MB/)
    const other = await page.context().newPage()
    await other.goto(`${server.url}/videos`)
    await other.locator('.upload').waitFor()

    const chosen = page.getByLabel('interrupted.mp4 again')
    await chosen.setInputFiles(await clips.make({ name: 'other.mp4', seconds: 1 }))
    await shows(page, /“other\.mp4” is another file: it has .* KB, “interrupted\.mp4” has 69\.2 MB\./)
    await chosen.setInputFiles(await clips.write('changed.mp4', changed))
    await shows(page, '“changed.mp4” is not what “interrupted.mp4” was')
    expect(parts.sent).toEqual(['1'])

    parts.letGo()
    await chosen.setInputFiles(file)
    await page.getByRole('link', { name: 'Show it' }).waitFor()
    expect(parts.sent).toEqual(['1', '2'])
    await until('the other tab to leave it alone', async () => {
      return (await other.locator('.upload').count()) === 0
    })
    expect(await page.evaluate(() => localStorage.length)).toBe(0)
    await page.getByRole('link', { name: 'Show it' }).click()
    await page.locator('video').waitFor()
  },
)

test.skipIf(noBrowser)(
  'an upload that had arrived is encoded by the next page; one that is gone is said to be',
  async () => {
    const page = await browser.open(`${server.url}/videos`)
    const arrived = await clips.make({ name: 'arrived.mp4', seconds: 1 })
    // Of one page; were it let go before the next is there, this page would go on.
    let isHeld = true
    await page.route(/\/complete$/, (route) => (isHeld ? undefined : route.continue()))
    await page.getByLabel('Video files').setInputFiles(arrived)
    await shows(page, 'Checking')
    const kept = await keptIn(page)
    const completed = await fetch(`${server.url}/v1/videos/uploads/${kept.uploadId}/complete`, {
      method: 'POST',
    })
    expect(completed.status).toBe(200)
    isHeld = false
    await page.reload()
    await page.getByRole('link', { name: 'Show it' }).waitFor()

    isHeld = true
    await page.getByLabel('Video files').setInputFiles(arrived)
    await shows(page, 'Checking')
    const { uploadId } = await keptIn(page)
    const cancelled = await fetch(`${server.url}/v1/videos/uploads/${uploadId}`, { method: 'DELETE' })
    expect(cancelled.status).toBe(200)
    await page.reload()
    await shows(page, 'It was given up.')
    expect(await page.evaluate(() => localStorage.length)).toBe(0)
    await page.getByRole('button', { name: 'Take arrived.mp4 off the list' }).click()
    await until('an empty list', async () => (await page.locator('.upload').count()) === 0)
  },
)

test.skipIf(noBrowser)('a page of an allowed origin uploads by presigned link', async () => {
  const page = await browser.open(foreign.origin)
  const answer = await page.evaluate(uploadFrom, server.url)
  expect(answer).toEqual({ opened: 201, stored: 200, completed: 200, status: 'completed' })
})

test.skipIf(noBrowser)('a page of any other origin is refused by the browser and by the API', async () => {
  const page = await browser.open(foreign.strange)
  expect(await page.evaluate(uploadFrom, server.url)).toBe('Failed to fetch')
  expect(page.complaints.join()).toContain('has been blocked by CORS policy')
  page.complaints.length = 0
})

/** Lets nothing of the second part through to the storage, until it may go. */
async function holdSecondPart(page: TestPage): Promise<{ sent: string[]; letGo: () => void }> {
  const sent: string[] = []
  let isHeld = true
  await page.route(/partNumber=/, async (route) => {
    const part = new URL(route.request().url()).searchParams.get('partNumber') ?? ''
    if (part === '2' && isHeld) return
    if (route.request().method() === 'PUT') sent.push(part)
    await route.continue()
  })
  return {
    sent,
    letGo: () => {
      isHeld = false
    },
  }
}

/** What MP4 has for bytes that mean nothing: players pass it over. */
function unusedBox(sizeBytes: number): Buffer {
  const box = Buffer.alloc(sizeBytes)
  box.writeUInt32BE(sizeBytes)
  box.write('free', 4)
  return box
}

async function keptIn(page: TestPage): Promise<{ uploadId: string }> {
  return await page.evaluate(() => JSON.parse(localStorage.getItem('job-server.uploads') ?? '[]')[0])
}

/** As the API knows them, of the upload that the page is at. */
async function partsOf(page: TestPage): Promise<{ done: boolean }[]> {
  const answer = await fetch(`${server.url}/v1/videos/uploads/${(await keptIn(page)).uploadId}`)
  return (await answer.json()).parts
}

/** What was sent, of 66 MiB, has not arrived before the storage says so. */
async function firstPartToArrive(page: TestPage): Promise<void> {
  await shows(page, /67\.1 MB of 69\.2 MB/)
  const isFirstDone = async () => (await partsOf(page))[0]?.done === true
  await until('the first part to have arrived', isFirstDone, patienceSeconds)
}

/** Runs in the page. The bytes begin as an MP4 does. */
async function uploadFrom(api: string) {
  const json = { 'content-type': 'application/json' }
  const bytes = new Uint8Array(2000)
  bytes.set([0, 0, 0, 24, ...new TextEncoder().encode('ftypisom')])
  try {
    const body = JSON.stringify({ filename: 'a.mp4', contentType: 'video/mp4', sizeBytes: bytes.length })
    const opened = await fetch(`${api}/v1/videos/uploads`, { method: 'POST', headers: json, body })
    const { uploadId, url, headers, method } = await opened.json()
    const stored = await fetch(url, { method, headers, body: bytes })
    const completed = await fetch(`${api}/v1/videos/uploads/${uploadId}/complete`, { method: 'POST' })
    const { status } = await completed.json()
    return { opened: opened.status, stored: stored.status, completed: completed.status, status }
  } catch (error) {
    return (error as Error).message
  }
}

const currentTime = (each: Element) => (each as HTMLVideoElement).currentTime

/** The view of a video that is nothing but a stream, loaded. */
async function openStream(
  name: string,
  seconds: number,
  prepare: (page: TestPage) => Promise<void> = async () => {},
): Promise<TestPage> {
  const path = await clips.make({ name, seconds })
  const job = await encodeByLink(server, path, { preset: 'streaming', storyboard: true })
  await job.reaches('succeeded', 120)
  const page = await browser.open(`${server.url}/videos`)
  await prepare(page)
  await page.goto(`${server.url}/videos/${job.id}`)
  await until('the video to be loaded', () => page.locator('video').evaluate(isLoaded))
  return page
}

/** From now on. */
function countReads(page: TestPage): { playlist: number; storyboard: number; status: number } {
  const read = { playlist: 0, storyboard: 0, status: 0 }
  page.on('request', (request) => {
    const { pathname } = new URL(request.url())
    if (pathname.endsWith('/playlist.m3u8')) read.playlist++
    if (pathname.endsWith('/storyboard.vtt')) read.storyboard++
    if (pathname.endsWith('/status')) read.status++
  })
  return read
}

const isLoaded = (each: Element) => (each as HTMLVideoElement).readyState >= 2

/** Muted, as browsers let nothing else begin by itself. */
async function timeAfterPlaying(page: TestPage): Promise<number> {
  const video = page.locator('video')
  await until('the video to be loaded', () => video.evaluate(isLoaded))
  await video.evaluate(async (each) => {
    const element = each as HTMLVideoElement
    element.muted = true
    await element.play()
  })
  const time = () => video.evaluate((each) => (each as HTMLVideoElement).currentTime)
  await until('time to pass in it', async () => (await time()) > 0.6)
  return await time()
}

/** An empty page under two origins. */
function servePage() {
  const page = Bun.serve({
    port: 0,
    fetch: () =>
      new Response('<!doctype html><title>A page of others</title>', {
        headers: { 'content-type': 'text/html' },
      }),
  })
  afterAll(() => page.stop(true))
  return { origin: `http://localhost:${page.port}`, strange: `http://127.0.0.1:${page.port}` }
}

/** The dashboard in a browser, and what no page of it may do. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, expect, inject, vi } from 'vitest'
import { launchChromium, whyNoChromium } from './chromium.ts'
import { seldomMs, until } from './until.ts'

/** A browser is slow where much else goes on. */
const patienceMs = 90_000
const testPatienceMs = 240_000

/** Why the tests of the dashboard can't run here; null: they can. */
export const noBrowser = whyNoChromium()
if (noBrowser !== null) console.warn(noBrowser)

export interface TestBrowser {
  /** A page of its own, without cookies or storage of others. */
  open(url: string, options?: BrowserContextOptions): Promise<TestPage>
}

export interface TestPage extends Page {
  /** What a page must never do: errors, breaches of its content security policy, requests to others than `allowed`. */
  complaints: string[]
}

/** Closed after the file; then no page may have had anything to complain about. */
export async function openBrowser(allowed: string[]): Promise<TestBrowser> {
  vi.setConfig({ testTimeout: testPatienceMs })
  let browser: Browser | undefined
  const pages: TestPage[] = []
  afterAll(async () => {
    await browser?.close()
    expect(
      pages.flatMap(({ complaints }) => complaints),
      'complaints of pages',
    ).toEqual([])
  })
  return {
    open: async (url, options = {}) => {
      browser ??= await launchChromium(inject('backend').directory)
      const context = await browser.newContext({
        locale: 'en-GB',
        timezoneId: 'UTC',
        viewport: { width: 1280, height: 900 },
        ...options,
      })
      context.setDefaultTimeout(patienceMs)
      const page = Object.assign(await context.newPage(), { complaints: [] as string[] })
      watch(page, allowed)
      pages.push(page)
      await page.goto(url)
      return page
    },
  }
}

function watch(page: TestPage, allowed: string[]): void {
  page.on('pageerror', (error) => page.complaints.push(`error: ${error.message}`))
  page.on('console', (message) => {
    // The browser itself notes each answer of 4xx and 5xx; tests of those look at what the page says of them.
    const isAnswer = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !isAnswer) page.complaints.push(`console: ${message.text()}`)
  })
  page.on('request', (request) => {
    const url = new URL(request.url())
    const isOurs = allowed.includes(url.origin) || ['data:', 'blob:'].includes(url.protocol)
    if (!isOurs) page.complaints.push(`request to ${url.href}`)
  })
}

/** The serious and critical violations that axe-core finds on a page as it is now. */
export async function accessibilityViolations(page: Page): Promise<string[]> {
  // As a string it is evaluated past the page's content security policy, as the developer tools would.
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  await page.evaluate(axe)
  const found = await page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(
        ({ id, nodes }) =>
          `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`,
      )
  })
  return found
}

interface Axe {
  run(): Promise<{
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[]
  }>
}

/** Until the text stands somewhere on the page. */
export async function shows(page: Page, text: string | RegExp, deadlineSeconds = 90): Promise<void> {
  let shown = ''
  const look = async () => {
    // biome-ignore lint/performance/useDomNodeTextContent: what is hidden is not shown
    shown = await page.locator('body').innerText()
    return typeof text === 'string' ? shown.includes(text) : text.test(shown)
  }
  await until(`the page to show ${text}`, look, deadlineSeconds, seldomMs).catch((error: Error) => {
    throw new Error(`${error.message}; it shows: ${shown.slice(0, 1000)}`)
  })
}

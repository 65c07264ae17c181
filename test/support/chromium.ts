/**
 * A Chromium for tests and benches. `CHROMIUM_PATH`, Debian's, or the one that lies compressed in the npm package
 * @sparticuz/chromium: a headless shell with H.264, for Linux on x64.
 */
import { existsSync } from 'node:fs'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'

const debians = '/usr/bin/chromium'
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--no-first-run',
  '--disable-quic',
  '--disable-component-update',
  '--disable-sync',
]

/** Why there is none here; null: there is one. */
export function whyNoChromium(): string | null {
  if (installed() !== undefined || (process.platform === 'linux' && process.arch === 'x64')) return null
  return `No browser for ${process.platform} on ${process.arch}: set CHROMIUM_PATH to a Chromium.`
}

/** @param directory where one out of the package is unpacked to, once */
export async function launchChromium(directory: string): Promise<Browser> {
  const executablePath = installed() ?? (await unpacked(directory))
  return await chromium.launch({ executablePath, args: flags })
}

function installed(): string | undefined {
  return process.env.CHROMIUM_PATH ?? (existsSync(debians) ? debians : undefined)
}

/** Two who unpack at once write a file of their own each, and the last one stays. */
async function unpacked(directory: string): Promise<string> {
  const binary = join(directory, 'chromium')
  if (existsSync(binary)) return binary
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium')
  const packed = await readFile(join(dirname(entry), '..', 'bin', 'chromium.br'))
  const partial = `${binary}-${crypto.randomUUID()}`
  await writeFile(partial, await promisify(brotliDecompress)(packed))
  await chmod(partial, 0o755)
  await rename(partial, binary)
  return binary
}

/**
 * Builds the dashboard: `web/` becomes files whose names carry a hash of their content, each beside itself compressed,
 * and a manifest. The manifest names the sources it was made of, so that a start can tell whether it is stale.
 */
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const root = fileURLToPath(new URL('..', import.meta.url))
export const webDirectory = join(root, 'dist', 'web')

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}
/** What is compressed as it is. */
const compressed = new Set(['.woff2'])

/** They are needed to build it, not to serve it. */
export function hasLibraries(): boolean {
  return existsSync(join(root, 'node_modules', 'react-dom'))
}

/** Two processes that build at once each replace the whole directory. @returns whether there was anything to do */
export async function buildWebIfStale(): Promise<boolean> {
  const sources = await hashOfSources()
  if ((await builtFrom(webDirectory)) === sources) return false
  await mkdir(join(root, 'dist'), { recursive: true })
  const fresh = await mkdtemp(join(root, 'dist', 'web-'))
  await buildInto(fresh, sources)
  await replace(webDirectory, fresh)
  return true
}

/** For bundles that bring the dashboard along. */
export async function copyWeb(directory: string): Promise<void> {
  await buildWebIfStale()
  await cp(webDirectory, directory, { recursive: true })
}

async function buildInto(directory: string, sources: string): Promise<void> {
  await Bun.build({
    entrypoints: [join(root, 'web', 'index.html')],
    outdir: directory,
    target: 'browser',
    // Pages lie at several depths: `/jobs/…` must find them too.
    publicPath: '/',
    naming: {
      entry: '[name].[ext]',
      chunk: 'assets/[name]-[hash].[ext]',
      asset: 'assets/[name]-[hash].[ext]',
    },
    splitting: true,
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  const paths = await filesBelow(directory)
  const files = await Promise.all(paths.map((path) => describeFile(directory, path)))
  const manifest = { sources, files: Object.fromEntries(files) }
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest, null, 2))
}

async function describeFile(directory: string, path: string) {
  const extension = extname(path)
  const type = types[extension]
  if (type === undefined) throw new Error(`No media type is known for ${path}.`)
  const bytes = await readFile(join(directory, path))
  const etag = new Bun.CryptoHasher('sha256').update(bytes).digest('base64url').slice(0, 22)
  const encodings = compressed.has(extension) ? [] : await writeCompressed(join(directory, path), bytes)
  return [path, { type, etag, encodings }] as const
}

/** Those that save something. Browsers take Brotli over HTTPS and from their own machine, gzip everywhere. */
async function writeCompressed(file: string, bytes: Buffer): Promise<string[]> {
  const ways = {
    br: promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
    gzip: promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }),
  }
  const encodings: string[] = []
  for (const [encoding, made] of Object.entries(ways)) {
    const smaller = await made
    if (smaller.length >= bytes.length) continue
    await writeFile(`${file}.${encoding}`, smaller)
    encodings.push(encoding)
  }
  return encodings
}

async function hashOfSources(): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256')
  const web = (await filesBelow(join(root, 'web'))).map((path) => `web/${path}`)
  for (const path of [...web, 'api/client.ts', 'bun.lock', 'scripts/web-files.ts'].sort()) {
    hash.update(path).update(await readFile(join(root, path)))
  }
  return hash.digest('hex')
}

async function builtFrom(directory: string): Promise<string | null> {
  const text = await readFile(join(directory, 'manifest.json'), 'utf8').catch(() => null)
  return text === null ? null : (JSON.parse(text) as { sources: string }).sources
}

async function replace(directory: string, fresh: string): Promise<void> {
  const old = `${fresh}-old`
  await rename(directory, old).catch(() => {})
  await rename(fresh, directory).catch(async () => await rm(fresh, { recursive: true }))
  await rm(old, { recursive: true, force: true })
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort()
}

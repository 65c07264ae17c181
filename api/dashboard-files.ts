/**
 * The built files of the dashboard, as `scripts/web-files.ts` leaves them: beside a bundle in `web/`, otherwise in
 * `dist/web/`. Read when they are first asked for and kept, all together a megabyte or two, until they are built anew.
 */
import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'

const Manifest = z.object({
  files: z.record(
    z.string(),
    z.object({ type: z.string(), etag: z.string(), encodings: z.array(z.string()) }),
  ),
})

export interface DashboardFile {
  type: string
  etag: string
  encodings: string[]
  /** @param encoding one of `encodings`, or none for the bytes as they are */
  read(encoding: string | undefined): Promise<Uint8Array<ArrayBuffer>>
}

/** Where the bundler leaves them for a bundle, and where it does for the sources. */
const places = [new URL('./web/', import.meta.url), new URL('../dist/web/', import.meta.url)]

/** @returns finds a file by its path, as `assets/index-1a2b3c.js`; null when there is none, or nothing was built */
export function dashboardFiles(): (path: string) => Promise<DashboardFile | null> {
  let known: Build | undefined

  async function build(): Promise<Build | null> {
    for (const place of places) {
      const builtAt = await stat(new URL('manifest.json', place)).catch(() => null)
      if (builtAt === null) continue
      if (known?.builtAtMs !== builtAt.mtimeMs) known = await readBuild(place, builtAt.mtimeMs)
      return known
    }
    return null
  }

  return async (path) => {
    const found = await build()
    const file = found?.files.get(path)
    if (found === null || file === undefined) return null
    return {
      ...file,
      read: async (encoding) => {
        const name = encoding === undefined ? path : `${path}.${encoding}`
        const bytes = found.kept.get(name) ?? new Uint8Array(await readFile(new URL(name, found.place)))
        found.kept.set(name, bytes)
        return bytes
      },
    }
  }
}

interface Build {
  place: URL
  builtAtMs: number
  files: Map<string, Omit<DashboardFile, 'read'>>
  kept: Map<string, Uint8Array<ArrayBuffer>>
}

async function readBuild(place: URL, builtAtMs: number): Promise<Build> {
  const { files } = Manifest.parse(JSON.parse(await readFile(new URL('manifest.json', place), 'utf8')))
  return { place, builtAtMs, files: new Map(Object.entries(files)), kept: new Map() }
}

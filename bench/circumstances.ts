/** What a figure means nothing without: the machine, the versions, the code and the date. */
import { readFile } from 'node:fs/promises'
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Sql } from '../core/db.ts'

export interface Circumstances {
  /** ISO 8601, UTC. */
  date: string
  /** The commit, and whether files differ from it. */
  code: string
  machine: {
    cpu: string
    cores: number
    memoryBytes: number
    system: string
    /** Of the last minute, before anything of ours ran. */
    loadAverage: number
  }
  versions: { jobServer: string; bun: string; postgresql: string; fsync: string; ffmpeg: string }
}

const root = fileURLToPath(new URL('..', import.meta.url))
const Package = z.object({ version: z.string() })

export async function readCircumstances(
  sql: Sql,
  { ffmpeg, loadAverage }: { ffmpeg: string; loadAverage: number },
): Promise<Circumstances> {
  const [server] = await sql<{ version: string; fsync: string }[]>`
    select current_setting('server_version') as version, current_setting('fsync') as fsync`
  const { version } = Package.parse(JSON.parse(await readFile(`${root}package.json`, 'utf8')))
  const banner = await outputOf([ffmpeg, '-hide_banner', '-version'])
  return {
    date: new Date().toISOString(),
    code: await readCode(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      system: `${type()} ${release()} ${arch()}`,
      loadAverage,
    },
    versions: {
      jobServer: version,
      bun: Bun.version,
      postgresql: server?.version ?? 'unknown',
      fsync: server?.fsync ?? 'unknown',
      ffmpeg: banner?.match(/^ffmpeg version (\S+)/)?.[1] ?? 'unknown',
    },
  }
}

export function currentLoad(): number {
  return loadavg()[0] ?? 0
}

async function readCode(): Promise<string> {
  const commit = await outputOf(['git', '-C', root, 'rev-parse', '--short', 'HEAD'])
  if (commit === null) return 'unknown'
  const changes = await outputOf(['git', '-C', root, 'status', '--porcelain'])
  return changes === '' ? commit : `${commit} with changes`
}

/** Null when the command is not there or fails. */
async function outputOf(command: string[]): Promise<string | null> {
  try {
    const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' })
    const text = await new Response(child.stdout).text()
    return (await child.exited) === 0 ? text.trim() : null
  } catch {
    return null
  }
}

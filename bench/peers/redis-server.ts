/**
 * Entry of a Redis as BullMQ's guide to production wants it: an append-only file synced every second, nothing evicted.
 * Arguments: a directory of its own, a port. Says `ready` to its parent.
 */
import { isFree } from '../../scripts/ports.ts'

const patienceMs = 10_000
const [directory = '', port = ''] = process.argv.slice(2)

const server = Bun.spawn(
  [
    ...['redis-server', '--bind', '127.0.0.1', '--port', port, '--dir', directory, '--save', ''],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'],
  ],
  { stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' },
)
process.on('SIGTERM', () => server.kill('SIGTERM'))
const until = performance.now() + patienceMs
while ((await isFree(Number(port))) && server.exitCode === null) {
  if (performance.now() > until) server.kill('SIGKILL')
  await Bun.sleep(20)
}
if (server.exitCode === null) process.send?.('ready')
process.exit(await server.exited)

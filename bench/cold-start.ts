/**
 * A cold start of the API as a function: from the start of an instance to its first answers, against a function that
 * does nothing but answer. Both in the same stand-in for AWS's runtime, on this machine's Node.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createKey } from '../core/keys/create.ts'
import { anyPort } from '../scripts/ports.ts'
import { openFunctionUrl } from '../test/support/lambda/function-url.ts'
import { type Bench, interleave } from './bench.ts'
import { compare } from './measurement.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const bootstrap = `${root}test/support/lambda/bootstrap.mjs`
const peerLabel = 'a function that only answers'

/** As small as a function with a streamed answer can be. */
const peer = `export const handler = awslambda.streamifyResponse(async (_event, stream) => {
  const head = { statusCode: 200, headers: {}, cookies: [] }
  awslambda.HttpResponseStream.from(stream, head).end('ok')
})`

interface Answered {
  firstMs: number
  /** Of a request that needs the database, right after it. */
  readMs: number
}

export const coldStartBench: Bench = {
  name: 'cold-start',
  about: 'from the start of an instance of the function to its first answers',
  defaultRounds: 7,
  async run({ stack, rounds, onStep }) {
    const database = await stack.openDatabase()
    const { secret } = await createKey(database.sql, { name: 'bench', scopes: ['read'] })
    const directory = await mkdtemp(join(tmpdir(), 'job-server-cold-start-'))
    try {
      const bundle = await build(directory)
      const idle = join(directory, 'peer.mjs')
      await writeFile(idle, peer)
      const environment = { ...database.processEnvironment, LOG_LEVEL: 'error' }
      const { ours, theirs } = await interleave(
        { rounds, onStep },
        {
          ours: () => coldStart(bundle, environment, secret),
          theirs: () => coldStart(idle, environment, secret),
        },
        { what: `cold start, bundle of ${((await stat(bundle)).size / 1e6).toFixed(2)} MB`, warmUp: true },
      )
      const measured = (name: string, of: (pass: Answered) => number) =>
        compare(
          { name, unit: 'ms', better: 'lower' },
          { label: 'Job Server', values: ours.map(of) },
          { label: peerLabel, values: theirs.map(of) },
        )
      return [
        measured('start to first answer', ({ firstMs }) => firstMs),
        measured('start to first answer from the database', ({ firstMs, readMs }) => firstMs + readMs),
      ]
    } finally {
      await rm(directory, { recursive: true, force: true })
      await database.close()
    }
  },
}

async function build(directory: string): Promise<string> {
  const child = Bun.spawn([process.execPath, `${root}scripts/build.ts`, 'function', directory], {
    stdout: 'ignore',
    stderr: 'inherit',
  })
  if ((await child.exited) !== 0) throw new Error('the function could not be built')
  return join(directory, 'index.mjs')
}

/** The requests stand in line before the instance is started: nothing but it is waited for. */
async function coldStart(
  bundle: string,
  environment: Record<string, string | undefined>,
  secret: string,
): Promise<Answered> {
  const front = await openFunctionUrl(await anyPort())
  const startedAt = performance.now()
  const child = Bun.spawn(['node', bootstrap, bundle], {
    env: { ...environment, AWS_LAMBDA_RUNTIME_API: front.runtimeApi },
    stdout: 'ignore',
    stderr: 'inherit',
  })
  try {
    await answered(`${front.url}/healthz`, {})
    const firstAt = performance.now()
    await answered(`${front.url}/v1/definitions`, { authorization: `Bearer ${secret}` })
    return { firstMs: firstAt - startedAt, readMs: performance.now() - firstAt }
  } finally {
    child.kill('SIGKILL')
    await child.exited
    front.close()
  }
}

async function answered(url: string, headers: Record<string, string>): Promise<void> {
  const response = await fetch(url, { headers })
  if (!response.ok) throw new Error(`the function answered ${response.status}: ${await response.text()}`)
  await response.text()
}

/** The API on each of its runtimes, as a real process over a database and a bucket that a test has. */
import { mkdtemp, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, inject } from 'vitest'
import { anyPort } from '../../scripts/ports.ts'
import { openFunctionUrl } from './lambda/function-url.ts'
import { nodeBinary } from './node.ts'
import { until } from './until.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export type Runtime = 'bun' | 'node' | 'deno' | 'function'

export interface RunningApi {
  url: string
  /** Name of the binary that the process runs, as the kernel knows it. */
  program(): Promise<string>
  /** SIGTERM, and the exit status. */
  stop(): Promise<number>
  output(): string
}

export async function startRuntime(
  runtime: Runtime,
  environment: Record<string, string>,
): Promise<RunningApi> {
  const port = await anyPort()
  const front = runtime === 'function' ? await openFunctionUrl(port) : null
  const command = await commandOf(runtime)
  const child = Bun.spawn(command, {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...environment,
      PORT: String(port),
      ...(front === null ? {} : { AWS_LAMBDA_RUNTIME_API: front.runtimeApi }),
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let output = ''
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true })
  }
  void read(child.stdout)
  void read(child.stderr)
  const stop = async () => {
    child.kill('SIGTERM')
    const status = await child.exited
    front?.close()
    return status
  }
  afterAll(async () => {
    if (child.exitCode === null) await stop()
  })
  const url = `http://127.0.0.1:${port}`
  await until(`the API on ${runtime} to be up`, async () => {
    if (child.exitCode !== null) throw new Error(`${runtime} ended with ${child.exitCode}:\n${output}`)
    return await fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    )
  })
  const program = async () => basename(await readlink(`/proc/${child.pid}/exe`))
  return { url, program, stop, output: () => output }
}

async function commandOf(runtime: Runtime): Promise<string[]> {
  switch (runtime) {
    case 'bun':
      return [process.execPath, `${root}api/server.ts`]
    case 'deno':
      return [await denoBinary(), 'run', '-A', '--no-check', `${root}api/deno.ts`]
    case 'node':
      return [node(), await build('node')]
    case 'function':
      return [node(), `${root}test/support/lambda/bootstrap.mjs`, await build('function')]
  }
}

function node(): string {
  const binary = nodeBinary()
  if (binary === null) throw new Error('there is no node on PATH')
  return binary
}

/** The one for this machine: what npm puts into `.bin` starts it, and does not pass signals on. */
async function denoBinary(): Promise<string> {
  const [binary] = await Array.fromAsync(
    new Bun.Glob(`node_modules/@deno/*/deno`).scan({ cwd: root, absolute: true }),
  )
  if (binary === undefined) throw new Error('the npm package deno brought no binary')
  return binary
}

type Target = 'node' | 'function' | 'scheduler'

const builds = new Map<Target, Promise<string>>()

/** Once in a file of tests. @returns the path of the bundle */
export function build(target: Target): Promise<string> {
  const built = builds.get(target) ?? bundle(target)
  builds.set(target, built)
  return built
}

async function bundle(target: Target): Promise<string> {
  const directory = await mkdtemp(join(inject('backend').directory, `${target}-`))
  const child = Bun.spawn([process.execPath, `${root}scripts/build.ts`, target, directory], {
    stdout: 'ignore',
    stderr: 'inherit',
  })
  expect(await child.exited, `build of ${target}`).toBe(0)
  return join(directory, 'index.mjs')
}

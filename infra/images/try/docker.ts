/** Speaks to the Docker engine by its command line; the engine itself is whatever the client reaches. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** The client with BuildKit built in or beside it. */
export const client = process.env.DOCKER ?? 'docker'

export interface Output {
  status: number
  stdout: string
  stderr: string
}

/** Runs a command in the project's root and waits for its end. */
export async function run(command: string[], environment: Record<string, string> = {}): Promise<Output> {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { status, stdout: stdout.trim(), stderr: stderr.trim() }
}

/** @throws with what it wrote when it fails */
export async function docker(...words: string[]): Promise<string> {
  return await succeed([client, ...words])
}

export async function answers(): Promise<boolean> {
  if (Bun.which(client) === null) return false
  return (await run([client, 'version', '--format', '{{.Server.Version}}'])).status === 0
}

export async function hasImage(name: string): Promise<boolean> {
  return (await run([client, 'image', 'inspect', name])).status === 0
}

export async function build(file: string, target: string, tag: string): Promise<void> {
  const ca = process.env.NODE_EXTRA_CA_CERTS
  const secret = ca !== undefined && existsSync(ca) ? ['--secret', `id=ca,src=${ca}`] : []
  const words = ['build', '-f', file, '--target', target, '-t', tag, ...secret, '.']
  await succeed([client, ...words], { DOCKER_BUILDKIT: '1' })
}

/** The stack of infra/compose.yaml under a name of its own. */
export async function composeCommand(project: string, files: string[]): Promise<string[] | null> {
  const options = ['-p', project, ...files.flatMap((file) => ['-f', file])]
  if ((await run([client, 'compose', 'version'])).status === 0) return [client, 'compose', ...options]
  return Bun.which('docker-compose') === null ? null : ['docker-compose', ...options]
}

export async function succeed(command: string[], environment: Record<string, string> = {}): Promise<string> {
  const { status, stdout, stderr } = await run(command, environment)
  if (status !== 0) {
    throw new Error(`${command.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`.trimEnd())
  }
  return stdout
}

/** Runs a command to its end, in the project's root where nothing else is said. */
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Ran {
  status: number
  output: string
  errors: string
}

/** @param environment all that it sees beside PATH */
export async function run(
  command: string[],
  {
    environment = {},
    stdin = '',
    directory = root,
  }: { environment?: Record<string, string>; stdin?: string; directory?: string } = {},
): Promise<Ran> {
  const child = Bun.spawn(command, {
    cwd: directory,
    env: { PATH: process.env.PATH, ...environment },
    stdin: new Blob([stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { status: await child.exited, output, errors }
}

/**
 * The version before this one: the code as it was when the newest migration had not come yet, out of the history of the
 * repository. It runs with the libraries of today.
 */
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** @returns null where the history does not reach so far back, as in a shallow clone or without git */
export async function previousVersion(): Promise<string | null> {
  const added = await git('log', '-1', '--diff-filter=A', '--format=%H', '--', 'migrations/*.sql')
  return added === null || added === '' ? null : await git('rev-parse', '--verify', '--quiet', `${added}^`)
}

/** Lays out the files of a commit, ready to run. */
export async function layOut(commit: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const archive = Bun.spawn(['git', '-C', root, 'archive', commit], { stdout: 'pipe' })
  const unpack = Bun.spawn(['tar', '-x', '-C', directory], { stdin: archive.stdout })
  const statuses = await Promise.all([archive.exited, unpack.exited])
  if (statuses.some((status) => status !== 0)) throw new Error(`${commit} could not be laid out`)
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
}

async function git(...words: string[]): Promise<string | null> {
  if (Bun.which('git') === null) return null
  const child = Bun.spawn(['git', '-C', root, ...words], { stdout: 'pipe', stderr: 'ignore' })
  const output = await new Response(child.stdout).text()
  return (await child.exited) === 0 ? output.trim() : null
}

/** Directories of job files that a test writes itself, outside the project, as a user's are. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'

const jobApi = new URL('../../core/job.ts', import.meta.url).href
const zod = import.meta.resolve('zod')

/** Some are made in the middle of a test, when it is too late for a hook of their own. */
const made: string[] = []
afterAll(async () => {
  for (const path of made) await rm(path, { recursive: true, force: true })
})

export interface JobDirectory {
  path: string
  write(name: string, text: string): Promise<void>
  /** As editors save: the new text under another name first. */
  replace(name: string, text: string): Promise<void>
  remove(name: string): Promise<void>
}

export async function jobDirectory(files: Record<string, string> = {}): Promise<JobDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'job-server-jobs-'))
  made.push(path)
  const write = async (name: string, text: string) => {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  for (const [name, text] of Object.entries(files)) await write(name, text)
  return {
    path,
    write,
    replace: async (name, text) => {
      await write(`.${name}.new`, text)
      await rename(join(path, `.${name}.new`), join(path, name))
    },
    remove: (name) => rm(join(path, name)),
  }
}

/** A job file. @param given `run` is the text of an expression, `top` stands above the definition */
export function jobFile(given: { key: string; run?: string; top?: string; more?: string }): string {
  const { key, run = '() => null', top = '', more = '' } = given
  return `
import { z } from '${zod}'
import { defineJob } from '${jobApi}'
${top}
export default defineJob({ key: '${key}', params: z.object({}), ${more} run: ${run} })
`
}

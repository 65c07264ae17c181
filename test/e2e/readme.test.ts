/** Runs what README shows, as it stands there, with no tool but those it names. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { testClips } from '../support/clips.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = await readFile(join(root, 'README.md'), 'utf8')
const namedTools = ['curl', 'sed', 'grep', 'wc', 'sleep']

const directory = await mkdtemp(join(inject('backend').directory, 'readme-'))
const jobsDirectory = join(directory, 'jobs')
await mkdir(jobsDirectory)
const server = await startServer({ environment: { JOBS_DIR: jobsDirectory, WATCH_JOBS: 'true' } })
const clips = await testClips()
/** What each block of the tour wrote. */
let outputs: string[] = []

beforeAll(async () => {
  // As the project lies around `jobs/`.
  await symlink(join(root, 'core'), join(directory, 'core'))
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
  await mkdir(join(directory, 'tools'))
  for (const tool of namedTools) await symlink(Bun.which(tool) ?? '', join(directory, 'tools', tool))
  outputs = await runBlocks(blocks('A first tour', 'sh'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

test('the tour lists the definitions', () => {
  const { definitions } = JSON.parse(outputOf('/v1/definitions'))
  const keys = definitions.map(({ key }: { key: string }) => key)
  expect(keys).toEqual(expect.arrayContaining(['echo', 'encode.video']))
})

test('the tour enqueues a job and reads its result and events', () => {
  const [job, events] = outputOf('"echo"')
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(job).toMatchObject({ status: 'succeeded', result: { message: 'hello' } })
  expect(events.jobId).toBe(job.jobId)
  const types = events.events.map(({ eventType }: { eventType: string }) => eventType)
  expect(types).toEqual(['queued', 'started', 'succeeded'])
})

test('the tour cancels a job', async () => {
  expect(JSON.parse(outputOf('/cancel'))).toMatchObject({ message: expect.any(String) })
  const { jobs } = await (await server.request('GET', '/v1/jobs?definitionKey=failing')).json()
  await server.job(jobs[0].jobId).reaches('cancelled')
})

test('the tour lists the newest jobs', () => {
  const { jobs, total } = JSON.parse(outputOf('limit=5'))
  expect(total).toBe(2)
  expect(jobs).toMatchObject([{ definitionKey: 'failing' }, { definitionKey: 'echo' }])
})

test('the tour encodes a video that is sent as a form', async () => {
  const status = JSON.parse(outputOf('-F "video=@'))
  expect(status).toMatchObject({ status: 'succeeded', outputs: [{ codec: 'h264', width: 320, height: 180 }] })
  await expectOutput('encoded.mp4', status)
})

test('the tour encodes a video that goes straight into storage', async () => {
  expect(JSON.parse(outputOf('/complete'))).toMatchObject({ status: 'completed', filename: 'holiday.mov' })
  const { jobs } = await (await server.request('GET', '/v1/jobs?definitionKey=encode.video')).json()
  expect(jobs).toHaveLength(2)
  const status = await (await server.request('GET', `/v1/videos/${jobs[0].jobId}/status`)).json()
  expect(status.outputFilename).toBe('holiday-720p.mp4')
  await expectOutput('holiday-720p.mp4', status)
})

test('the tour shows a problem', () => {
  expect(JSON.parse(outputOf('"unknown"'))).toMatchObject({ status: 404, code: 'definition_not_found' })
})

test('the job of your own is picked up when its file is written, and runs', async () => {
  const [code = ''] = blocks('A job of your own', 'ts')
  expect(code.trim().split('\n').length).toBeLessThan(15)
  await writeFile(join(jobsDirectory, 'greet.ts'), code)
  await until('greet to be registered', async () => {
    const { definitions } = await (await server.request('GET', '/v1/definitions')).json()
    return definitions.some(({ key }: { key: string }) => key === 'greet')
  })
  const settings = blocks('A first tour', 'sh').slice(0, 1)
  const written = await runBlocks([...settings, ...blocks('A job of your own', 'sh')])
  expect(JSON.parse(written.at(-1) ?? '')).toMatchObject({
    status: 'succeeded',
    result: { greeting: 'Hello, Ada!' },
  })
})

test.each(['dev', 'demo [file]', 'test'])(
  'the commands for %s are there with their installation',
  (command) => {
    expect(readme).toContain(`npx -y bun@1.4.5 install --frozen-lockfile && npx bun run ${command}\n`)
    expect(readme).toContain(`\nbun install --frozen-lockfile && bun run ${command}\n`)
  },
)

test('every command that README names is one', async () => {
  const { bin, scripts, devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const named = [...readme.matchAll(/\bbun run ([a-z:-]+)/g)].map(([, name]) => name)
  expect(named.length).toBeGreaterThan(10)
  expect(Object.keys({ ...scripts, ...bin })).toEqual(expect.arrayContaining(named))
  expect(readme.match(/bun@[\d.]+/g)?.every((version) => version === `bun@${devDependencies.bun}`)).toBe(true)
})

test('the packages whose types another program must share are named in our versions', async () => {
  const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  for (const name of ['postgres', 'zod']) {
    const named = [...readme.matchAll(new RegExp(`\\b${name}@([\\d.]+)`, 'g'))].map(([, version]) => version)
    expect(new Set(named)).toEqual(new Set([dependencies[name]]))
  }
})

/** The code blocks of a section, in order. */
function blocks(section: string, language: string): string[] {
  const text = readme.split(`\n## ${section}\n`)[1]?.split('\n## ')[0] ?? ''
  const found = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
  return found.filter(([, kind]) => kind === language).map(([, , code = '']) => code)
}

/** In one shell, as if they were typed one after another. @returns what each wrote */
async function runBlocks(commands: string[]): Promise<string[]> {
  expect(commands.length).toBeGreaterThan(1)
  const separator = '--- next block'
  const script = commands.join(`\necho '${separator}'\n`)
  const shell = Bun.spawn([Bun.which('bash') ?? 'bash', '-c', `set -euo pipefail\n${script}`], {
    cwd: directory,
    env: {
      PATH: join(directory, 'tools'),
      API: server.url,
      VIDEO: await clips.make({ name: 'clip.mov', seconds: 1 }),
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 60_000,
  })
  const [output, errors] = await Promise.all([
    new Response(shell.stdout).text(),
    new Response(shell.stderr).text(),
  ])
  expect({ status: await shell.exited, errors }, output).toEqual({ status: 0, errors: '' })
  return output.split(`${separator}\n`).map((text) => text.trim())
}

/** What the block of the tour wrote that contains the text. */
function outputOf(text: string): string {
  const index = blocks('A first tour', 'sh').findIndex((code) => code.includes(text))
  expect(index, `a block with ${text}`).not.toBe(-1)
  return outputs[index] ?? ''
}

/** The tour saved the bytes that the status announces. */
async function expectOutput(name: string, status: { outputs: { sha256: string; sizeBytes: number }[] }) {
  const bytes = await readFile(join(directory, name))
  const sha256 = new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
  expect(status.outputs[0]).toMatchObject({ sha256, sizeBytes: bytes.length })
}

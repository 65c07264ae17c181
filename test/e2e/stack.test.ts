/** `bun run dev` and `bun run demo` as a newcomer meets them, each with its data in a directory of its own. */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, inject, test } from 'vitest'
import { anyPort } from '../../scripts/ports.ts'
import { testClips } from '../support/clips.ts'
import { processesNaming } from '../support/processes.ts'
import { emptied, seldomMs, until } from '../support/until.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const home = await workingDirectory()
const port = await anyPort()
const api = `http://127.0.0.1:${port}`
const started: Script[] = []

afterAll(async () => {
  for (const { process } of started) process.kill('SIGKILL')
  await until('the processes of the stack to be gone', async () => (await left()).length === 0, 60, seldomMs)
  await rm(home, { recursive: true, force: true })
})

test('demo alone starts a stack of its own, encodes its sample and leaves no process', async () => {
  const demo = run('demo', [])
  expect(await demo.ended, demo.output).toBe(0)
  expect(demo.output).toMatch(/encoding +█{30} 100 % +succeeded/)
  expect(demo.output).toMatch(/result +\.data\/demo\/sample-1080p\.mp4/)
  expect(demo.output).toMatch(/ffprobe +h264 1920x1080, aac, 6\.0\d s, \d+\.\d\d MB/)
  expect(demo.output, 'a link to a stack that is gone').not.toContain('link')
  expect(await emptied(left, 30, seldomMs)).toEqual([])
})

test('dev says where it is, and what was there before its start still is', async () => {
  const dev = run('dev', [])
  await dev.says('Job Server is up.')
  expect(dev.output).toContain(`API         ${api}`)
  expect((await fetch(`${api}/readyz`)).status).toBe(200)
  const { jobs } = await (await fetch(`${api}/v1/jobs?status=succeeded`)).json()
  expect(jobs).toMatchObject([{ definitionKey: 'encode.video' }])
  const encoded = await (await fetch(`${api}/v1/videos/${jobs[0].jobId}/download`)).arrayBuffer()
  const saved = await readFile(join(home, '.data/demo/sample-1080p.mp4'))
  expect(saved.equals(Buffer.from(encoded)), 'the bytes that demo saved').toBe(true)
  expect((await left()).length, 'our way to see processes').toBeGreaterThan(5)
})

test('a second dev on the same data says so and ends', async () => {
  const second = run('dev', [])
  expect(await second.ended).toBe(1)
  expect(second.output).toContain('already running')
  expect(second.output).toContain(`Its API is ${api}, its process ${started.at(-2)?.process.pid}.`)
  expect((await fetch(`${api}/healthz`)).status, 'the first is not disturbed').toBe(200)
})

test('a port that another process has is named', async () => {
  const elsewhere = await workingDirectory()
  const other = run('dev', [], elsewhere)
  expect(await other.ended).toBe(1)
  expect(other.output).toContain(`PORT  ${port} is taken by another process`)
})

test('a wrong configuration stops the start with every problem in it', async () => {
  const wrong = { PORT: '99999', LOG_LEVEL: 'loud', DATABSE_URL: 'postgres://db/jobs' }
  const dev = run('dev', [], await workingDirectory(), wrong)
  expect(await dev.ended).toBe(78)
  expect(dev.output.trim().split('\n')).toEqual([
    expect.stringMatching(/^PORT +expected an integer from 0 to 65535, got "99999"$/),
    expect.stringMatching(/^LOG_LEVEL +expected debug, info, warn or error, got "loud"$/),
    expect.stringMatching(/^DATABSE_URL +did you mean DATABASE_URL\?/),
  ])
})

test('demo encodes a given file on the stack that runs', async () => {
  const clips = await testClips()
  const demo = run('demo', [await clips.make({ name: 'holiday.mkv', seconds: 1 })])
  expect(await demo.ended, demo.output).toBe(0)
  expect(demo.output).toContain(`${api}/v1/jobs/`)
  expect(demo.output).not.toContain('starting')
  expect(demo.output).toMatch(/result +\.data\/demo\/holiday-1080p\.mp4/)
  expect(demo.output).toMatch(/ffprobe +h264 320x180, aac, 1\.\d\d s, 0\.\d\d MB/)
  const [, link = ''] = /link +(\S+)/.exec(demo.output) ?? []
  expect((await fetch(link)).headers.get('content-type')).toBe('video/mp4')
})

test.each([
  ['is not there', 'nowhere.mp4', null, 'There is no file nowhere.mp4.'],
  ['is no video', 'notes.mp4', 'dear diary', 'The file is text, not a video.'],
])('demo says what is wrong with a file that %s', async (_what, name, content, sentence) => {
  if (content !== null) await writeFile(join(home, name), content)
  const demo = run('demo', [name])
  expect(await demo.ended).toBe(1)
  expect(demo.output).toContain(sentence)
})

test('when dev is killed its processes end by themselves, and the next dev goes on with the data', async () => {
  const killed = started.find(({ name, process }) => name === 'dev' && process.exitCode === null)
  killed?.process.kill('SIGKILL')
  await until(
    'every process of the killed stack to end',
    async () => (await left()).length === 0,
    60,
    seldomMs,
  )
  const jobs = await workingDirectory()
  await writeFile(join(jobs, 'broken.ts'), "throw new Error('STRIPE_KEY is not set')")
  const next = run('dev', [], home, { JOBS_DIR: jobs })
  await next.says('Job Server is up.')
  expect(next.output, 'what keeps nobody else from work').toContain('STRIPE_KEY is not set')
  const { total } = await (await fetch(`${api}/v1/jobs?status=succeeded`)).json()
  expect(total).toBe(2)
})

test('a PostgreSQL that outlived the process which started it does not keep the next dev from its data', async () => {
  const dev = started.at(-1)
  const starter = (await processesNaming(home)).find(({ command }) =>
    command.includes('embedded/postgres.ts'),
  )
  if (starter === undefined) throw new Error('there is no embedded PostgreSQL')
  process.kill(starter.pid, 'SIGKILL')
  expect(await dev?.ended).toBe(1)
  expect(dev?.output).toContain('postgres ended by itself')
  expect((await processesNaming(home)).map(({ command }) => command)).toContainEqual(
    expect.stringContaining('postgres: '),
  )
  const next = run('dev', [])
  await next.says('Job Server is up.')
  expect(await (await fetch(`${api}/v1/jobs?status=succeeded`)).json()).toMatchObject({ total: 2 })
})

test('Ctrl-C ends dev, with a job that runs, and leaves no process', async () => {
  const dev = started.at(-1)
  if (dev === undefined) throw new Error('no dev was started')
  const job = {
    definitionKey: 'compute.math',
    params: { operation: 'prime', numbers: Array(1000).fill(2 ** 53 - 111) },
  }
  const headers = { 'content-type': 'application/json' }
  const created = await fetch(`${api}/v1/jobs`, { method: 'POST', headers, body: JSON.stringify(job) })
  const { jobId } = await created.json()
  await until('the job to run', async () => {
    const { status } = await (await fetch(`${api}/v1/jobs/${jobId}`)).json()
    return status === 'running'
  })
  // To the whole group, as a terminal does.
  process.kill(-dev.process.pid, 'SIGINT')
  expect(await dev.ended).toBe(0)
  expect(dev.output.trim()).toMatch(/Stopped\.$/)
  expect(await emptied(left, 30, seldomMs)).toEqual([])
})

interface Script {
  name: string
  process: ReturnType<typeof spawn>
  /** What it wrote so far. */
  output: string
  ended: Promise<number>
  says(text: string): Promise<void>
}

function run(name: 'dev' | 'demo', args: string[], directory = home, environment = {}): Script {
  const process = spawn(name, args, directory, environment)
  const script: Script = {
    name,
    process,
    output: '',
    ended: Promise.all([process.exited, read(process.stdout), read(process.stderr)]).then(
      ([status]) => status,
    ),
    says: async (text) => {
      await until(`${name} to say "${text}"`, () => {
        if (process.exitCode !== null) throw new Error(`${name} ended:\n${script.output}`)
        return script.output.includes(text)
      })
    },
  }
  async function read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const chunk of stream) script.output += decoder.decode(chunk, { stream: true })
  }
  started.push(script)
  return script
}

function spawn(name: string, args: string[], directory: string, environment: Record<string, string>) {
  return Bun.spawn([process.execPath, join(root, `scripts/${name}.ts`), ...args], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: String(port),
      SCRATCH_DIRECTORY: join(directory, 'scratch'),
      SHUTDOWN_GRACE_SECONDS: '1',
      ...environment,
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    detached: true,
  })
}

async function workingDirectory(): Promise<string> {
  const directory = await mkdtemp(join(inject('backend').directory, 'stack-'))
  // PostgreSQL runs as a user of its own when we are root.
  await chmod(directory, 0o755)
  return directory
}

/** The processes of the stack in `home`: they have it in their command, their working directory or SCRATCH_DIRECTORY. */
async function left(): Promise<string[]> {
  const found = (await processesNaming(home)).map(({ command }) => command)
  // Not by Bun's Glob, which fails when a process ends while it looks.
  for (const entry of await readdir('/proc')) {
    const environment = await readFile(`/proc/${entry}/environ`, 'utf8').catch(() => '')
    if (environment.includes(`SCRATCH_DIRECTORY=${home}`)) found.push(`/proc/${entry}`)
  }
  return found
}

/**
 * `bun run images:try`: builds every image, looks at what is in it, starts the stack of infra/compose.yaml from them,
 * encodes a video through the API of the containers, and stops a worker in the middle of a job. PostgreSQL and the storage
 * are stand-ins from Debian's packages and this project, so that nothing has to be pulled; where not even the base image
 * can be, debootstrap makes it. What it starts is removed; the images stay. It says so and passes where no engine answers.
 */
import { strict as assert } from 'node:assert'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, build, client, composeCommand, docker, hasImage, run, succeed } from './try/docker.ts'
import { inspect } from './try/inspect.ts'

const baseImage = 'debian:bookworm-slim'
const programs = ['api', 'worker', 'scheduler'] as const
const api = 'http://127.0.0.1:3000'
const patienceMs = 120_000

if (!(await answers())) {
  console.log('images:try skipped: no Docker engine answers.')
  process.exit(0)
}
await haveBase()
await buildAll()
for (const program of programs) await inspect(`job-server-${program}`)
await tryStack()
console.log('All of it works.')

/** Pulled, or made by debootstrap where there is nothing to pull from. */
async function haveBase(): Promise<void> {
  if (await hasImage(baseImage)) return
  if ((await run([client, 'pull', baseImage])).status === 0) return
  assert(
    Bun.which('debootstrap') !== null,
    `${baseImage} can't be pulled, and there is no debootstrap to make it`,
  )
  const directory = await mkdtemp(join(tmpdir(), 'job-server-base-'))
  try {
    await succeed(['debootstrap', '--variant=minbase', 'bookworm', directory])
    await succeed([
      'sh',
      '-c',
      `rm -f ${directory}/var/cache/apt/archives/*.deb; tar -C ${directory} -c . | ${client} import - ${baseImage}`,
    ])
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  console.log(`made ${baseImage} by debootstrap`)
}

async function buildAll(): Promise<void> {
  await build('infra/images/Dockerfile', 'bun', 'job-server-bun')
  for (const program of programs) await build('infra/images/Dockerfile', program, `job-server-${program}`)
  for (const standIn of ['postgres', 'storage'])
    await build('infra/images/try/Dockerfile', standIn, `job-server-try-${standIn}`)
}

async function tryStack(): Promise<void> {
  const compose = await composeCommand('job-server-try', [
    'infra/compose.yaml',
    'infra/images/try/compose.yaml',
  ])
  if (compose === null) {
    console.log('The stack is not tried: there is no docker compose.')
    return
  }
  try {
    await succeed([...compose, 'up', '-d', '--no-build'])
    for (const program of programs) await isHealthy(program)
    console.log('\nevery container is healthy, as another user than root, on a read-only root file system')
    await call('GET', '/readyz')
    assert.match(await (await fetch(api)).text(), /<script/, 'the API does not serve the dashboard')
    const uploadId = await encode()
    await drain(uploadId)
  } catch (error) {
    console.error((await run([...compose, 'logs', '--tail', '30'])).stdout)
    throw error
  } finally {
    await run([...compose, 'down', '-v', '--timeout', '5'])
  }
}

async function containerOf(program: string): Promise<string> {
  const id = await docker(
    ...['ps', '-q', '--filter', 'label=com.docker.compose.project=job-server-try'],
    ...['--filter', `label=com.docker.compose.service=${program}`],
  )
  assert.match(id, /^[0-9a-f]+$/, `there is no one container of ${program}: ${id}`)
  return id
}

async function isHealthy(program: string): Promise<void> {
  const id = await containerOf(program)
  await until(`${program} is healthy`, async () => {
    const state = await docker('inspect', '--format', '{{.State.Status}} {{.State.Health.Status}}', id)
    return state === 'running healthy' ? true : undefined
  })
  const set = await docker('inspect', '--format', '{{.HostConfig.ReadonlyRootfs}} {{.Config.User}}', id)
  assert.equal(set, 'true 10001:10001')
}

/**
 * As a client does: a clip by a presigned link, a job, its result by a redirect to the storage.
 * @returns the id of the upload
 */
async function encode(): Promise<string> {
  const worker = await containerOf('worker')
  await docker(
    ...[
      'exec',
      worker,
      'ffmpeg',
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=1920x1080:rate=30:duration=8',
    ],
    ...['-c:v', 'mpeg4', '-q:v', '3', '-y', '/scratch/clip.mov'],
  )
  const clip = Bun.spawn([client, 'exec', worker, 'cat', '/scratch/clip.mov'], { stdout: 'pipe' })
  const bytes = await new Response(clip.stdout).blob()
  const upload = await call('POST', '/v1/videos/uploads', {
    filename: 'clip.mov',
    contentType: 'video/quicktime',
    sizeBytes: bytes.size,
  })
  const put = await fetch(String(upload.url), {
    method: 'PUT',
    body: bytes,
    headers: { 'content-type': 'video/quicktime' },
  })
  assert(put.ok, `the storage answered ${put.status}: ${await put.text()}`)
  await call('POST', `/v1/videos/uploads/${upload.uploadId}/complete`)
  const { jobId } = await call('POST', '/v1/videos/encode', { uploadId: upload.uploadId, quality: '720p' })
  await reaches(String(jobId), 'succeeded')
  const encoded = await (await fetch(`${api}/v1/videos/${jobId}/download`)).bytes()
  assert.equal(new TextDecoder().decode(encoded.slice(4, 8)), 'ftyp', 'what was downloaded is no MP4')
  console.log(`a clip of ${bytes.size} bytes was encoded to ${encoded.length} bytes of MP4`)
  return String(upload.uploadId)
}

/** `docker stop` while a job runs: the job ends, then the worker does, and nothing is given back. */
async function drain(uploadId: string): Promise<void> {
  const worker = await containerOf('worker')
  const { jobId } = await call('POST', '/v1/videos/encode', { uploadId, quality: '1080p' })
  await reaches(String(jobId), 'running')
  await docker('stop', '--time', '120', worker)
  const status = await docker('inspect', '--format', '{{.State.ExitCode}}', worker)
  assert.equal(status, '0', `the worker ended with ${status}`)
  const job = await call('GET', `/v1/jobs/${jobId}`)
  assert.deepEqual({ status: job.status, attempts: job.attempts }, { status: 'succeeded', attempts: 1 })
  console.log('docker stop let the running job end, and the worker ended by itself')
}

async function reaches(jobId: string, wanted: string): Promise<void> {
  await until(`job ${jobId} is ${wanted}`, async () => {
    const { status, errorSummary } = await call('GET', `/v1/jobs/${jobId}`)
    assert(status !== 'failed' || wanted === 'failed', `the job failed: ${errorSummary}`)
    return status === wanted ? true : undefined
  })
}

async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${api}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  assert(response.ok, `${method} ${path} was answered ${response.status}: ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}

async function until(what: string, look: () => Promise<true | undefined>): Promise<void> {
  const deadline = Date.now() + patienceMs
  while ((await look()) === undefined) {
    assert(Date.now() < deadline, `not within ${patienceMs / 1000} seconds: ${what}`)
    await Bun.sleep(300)
  }
}

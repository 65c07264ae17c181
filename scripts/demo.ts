/**
 * `bun run demo [file]`: encodes a video through the running stack (or one of its own, for as long as it takes),
 * just as a client would: presigned upload, encode, progress, download; then asks ffprobe what came out.
 */
import { mkdir, rename } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { z } from 'zod'
import { type FfmpegBinaries, findFfmpeg } from '../core/ffmpeg-binaries.ts'
import { givenKey, refusal } from './cli/refusal.ts'
import { dataDirectory, readStackInfo, startStack } from './stack.ts'

const pollMs = 300
const barWidth = 30
const demoDirectory = join(dataDirectory, 'demo')

const Enqueued = z.object({ jobId: z.string() })
const Opened = z.object({
  uploadId: z.string(),
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  parts: z.array(z.object({ partNumber: z.int(), sizeBytes: z.int(), url: z.string() })).optional(),
})
const Status = z.object({
  status: z.string(),
  progress: z
    .object({ percent: z.number(), fps: z.number(), speed: z.number(), etaSeconds: z.number().nullable() })
    .partial()
    .nullish(),
  outputFilename: z.string().optional(),
  error: z.object({ code: z.string(), message: z.string().nullable() }).optional(),
})
type Status = z.output<typeof Status>
const Probe = z.object({
  streams: z.array(
    z.object({ codec_name: z.string(), width: z.int().optional(), height: z.int().optional() }),
  ),
  format: z.object({ duration: z.string(), size: z.string() }),
})

let lastBar = ''

process.exit(
  await main().catch((error) => {
    console.error(`\n${error instanceof Error ? error.message : error}`)
    return 1
  }),
)

/** @returns the exit status */
async function main(): Promise<number> {
  const tools = findFfmpeg({
    ffmpegPath: process.env.FFMPEG_PATH,
    ffprobePath: process.env.FFPROBE_PATH,
    searchPath: process.env.PATH,
  })
  await mkdir(demoDirectory, { recursive: true })
  const file = process.argv[2] ?? (await sample(tools))
  if (!(await Bun.file(file).exists())) throw new Error(`There is no file ${file}.`)
  return await demonstrateSomewhere(file, tools)
}

/** On the stack that runs in this directory, or on one of our own. */
async function demonstrateSomewhere(path: string, tools: FfmpegBinaries): Promise<number> {
  const running = await readStackInfo()
  if (running !== null) {
    const jobId = await demonstrate(running.apiUrl, path, tools)
    console.log(`link       ${running.apiUrl}/v1/videos/${jobId}/download`)
    return 0
  }
  const stack = await startStack({
    environment: process.env,
    onStep: (step) => console.log(`… ${step}`),
    onLine: () => {},
  })
  const interrupted = new Promise<number>((resolve) => process.once('SIGINT', () => resolve(130)))
  try {
    return await Promise.race([
      demonstrate(stack.info.apiUrl, path, tools).then(() => 0),
      interrupted,
      stack.broken,
    ])
  } finally {
    await stack.stop()
  }
}

/** @returns the id of the job */
async function demonstrate(api: string, path: string, tools: FfmpegBinaries): Promise<string> {
  console.log(`encoding   ${relative('.', path)} (${megabytes(Bun.file(path).size)})`)
  const uploadId = await upload(api, path)
  const { jobId } = await call(api, 'POST', '/v1/videos/encode', Enqueued, { uploadId })
  console.log(`job        ${api}/v1/jobs/${jobId}`)
  const status = await follow(api, jobId)
  if (status.status !== 'succeeded') {
    throw new Error(`The job ${status.status}: ${status.error?.message ?? 'no reason was given'}`)
  }
  const saved = await download(api, jobId, status.outputFilename ?? 'output.mp4')
  const seen = await inspect(saved, tools)
  console.log(`result     ${relative('.', saved)}`)
  console.log(`ffprobe    ${seen}`)
  return jobId
}

async function upload(api: string, path: string): Promise<string> {
  const content = Bun.file(path)
  const opened = await call(api, 'POST', '/v1/videos/uploads', Opened, {
    filename: basename(path),
    contentType: content.type.startsWith('video/') ? content.type.split(';')[0] : 'video/mp4',
    sizeBytes: content.size,
  })
  if (opened.url !== undefined) {
    await put(opened.url, content, opened.headers)
    bar('uploading', 1, megabytes(content.size))
  }
  let sentBytes = 0
  for (const part of opened.parts ?? []) {
    await put(part.url, content.slice(sentBytes, sentBytes + part.sizeBytes))
    sentBytes += part.sizeBytes
    bar('uploading', sentBytes / content.size, `part ${part.partNumber} of ${opened.parts?.length}`)
  }
  await call(api, 'POST', `/v1/videos/uploads/${opened.uploadId}/complete`, z.looseObject({}))
  endBar()
  return opened.uploadId
}

async function put(url: string, body: Blob, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(url, { method: 'PUT', body, headers })
  if (!response.ok) throw new Error(`The storage answered ${response.status}: ${await response.text()}`)
}

async function follow(api: string, jobId: string): Promise<Status> {
  for (;;) {
    const status = await call(api, 'GET', `/v1/videos/${jobId}/status`, Status)
    const { percent = 0, fps, speed, etaSeconds } = status.progress ?? {}
    const detail = [
      status.status,
      ...(fps ? [`${fps} fps`] : []),
      ...(speed ? [`${speed}x`] : []),
      ...(etaSeconds ? [`${etaSeconds} s left`] : []),
    ]
    bar('encoding', status.status === 'succeeded' ? 1 : percent / 100, detail.join(', '))
    if (['succeeded', 'failed', 'cancelled'].includes(status.status)) {
      endBar()
      return status
    }
    await Bun.sleep(pollMs)
  }
}

async function download(api: string, jobId: string, filename: string): Promise<string> {
  // Through the API: a redirect would take the key along to the storage.
  const response = await fetch(`${api}/v1/videos/${jobId}/download?redirect=false`, { headers: key() })
  if (!response.ok) throw new Error(`The download answered ${response.status}.`)
  const target = join(demoDirectory, filename)
  await Bun.write(`${target}.part`, response)
  await rename(`${target}.part`, target)
  return target
}

async function inspect(path: string, { ffprobe }: FfmpegBinaries): Promise<string> {
  const shown = ['-show_entries', 'format=duration,size:stream=codec_name,width,height', '-of', 'json']
  const output = Probe.parse(JSON.parse(await run([ffprobe, '-v', 'error', ...shown, path])))
  const streams = output.streams.map(({ codec_name, width, height }) =>
    width === undefined ? codec_name : `${codec_name} ${width}x${height}`,
  )
  return `${streams.join(', ')}, ${Number(output.format.duration).toFixed(2)} s, ${megabytes(Number(output.format.size))}`
}

/** Six seconds of a moving test picture with a tone. */
async function sample({ ffmpeg }: FfmpegBinaries): Promise<string> {
  const path = join(demoDirectory, 'sample.mov')
  if (await Bun.file(path).exists()) return path
  console.log('… making a sample video')
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=1920x1080:rate=30:duration=6']
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=6']
  const codecs = ['-c:v', 'mpeg4', '-q:v', '3', '-c:a', 'pcm_s16le']
  await run([ffmpeg, '-v', 'error', '-y', ...picture, ...sound, ...codecs, `${path}.part.mov`])
  await rename(`${path}.part.mov`, path)
  return path
}

async function run(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const output = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${command[0]} ended with status ${child.exitCode}.`)
  return output
}

async function call<Schema extends z.ZodType>(
  api: string,
  method: string,
  path: string,
  schema: Schema,
  body?: unknown,
): Promise<z.output<Schema>> {
  const response = await fetch(`${api}${path}`, {
    method,
    ...(body === undefined
      ? { headers: key() }
      : { body: JSON.stringify(body), headers: { ...key(), 'content-type': 'application/json' } }),
  })
  const answer: unknown = await response.json()
  if (!response.ok) {
    const problem = z.object({ detail: z.string() }).parse(answer)
    throw new Error(`${method} ${path}: ${refusal(response.status, problem, givenKey() !== undefined)}`)
  }
  return schema.parse(answer)
}

/** Of the stack that runs, where it has keys. */
function key(): Record<string, string> {
  const secret = givenKey()
  return secret === undefined ? {} : { authorization: `Bearer ${secret}` }
}

/** One line that is rewritten in a terminal; elsewhere only its last state is printed. */
function bar(what: string, share: number, detail: string): void {
  const full = Math.round(barWidth * Math.min(1, share))
  lastBar = `${what.padEnd(10)} ${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${String(Math.floor(100 * share)).padStart(3)} %  ${detail}`
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${lastBar}`)
}

function endBar(): void {
  process.stdout.write(process.stdout.isTTY ? '\n' : `${lastBar}\n`)
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`
}

/**
 * What the server adds to an encode: a clip from a client's disk and back to it through API, storage and worker,
 * against the very FFmpeg command that the worker runs, on the file as it lies there.
 */
import { mkdtemp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { resolve } from '../core/encode-options.ts'
import { defaultJobLimits } from '../core/job-limits.ts'
import { encodeOptions } from '../jobs/video/encode.ts'
import { ffmpegOptions } from '../jobs/video/ffmpeg.ts'
import { planEncode } from '../jobs/video/plan.ts'
import { probe } from '../jobs/video/probe.ts'
import { type Bench, interleave } from './bench.ts'
import { compare } from './measurement.ts'

const clipSeconds = 20
const quality = '720p'
const deadlineSeconds = 120
const pollMs = 50

const Opened = z.object({
  uploadId: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
})
const Enqueued = z.object({ jobId: z.string() })
const Status = z.object({
  status: z.string(),
  error: z.object({ code: z.string(), message: z.string().nullable() }).optional(),
})

export const encodeBench: Bench = {
  name: 'encode',
  about: `a clip of ${clipSeconds} s at 720p from presigned upload to downloaded result`,
  defaultRounds: 3,
  async run(context) {
    const { stack, onStep } = context
    const directory = await mkdtemp(join(stack.directory, 'encode-'))
    const clip = join(directory, 'clip.mp4')
    onStep('making the clip')
    await makeClip(stack.tools.ffmpeg, clip)
    const { command, output } = await bareCommand(stack.tools, clip)
    const database = await stack.openDatabase()
    const [api] = await Promise.all([database.startApi(), database.startWorker()])
    const { server, bare } = await interleave(
      context,
      {
        server: () => throughServer(api.url, clip, join(directory, 'result.mp4')),
        bare: () => runBare(command, output),
      },
      { what: 'encode', warmUp: false },
    )
    await database.close()
    requireSameWork([...server, ...bare].map(({ sizeBytes }) => sizeBytes))
    return [
      compare(
        { name: `encode to ${quality}`, unit: 's', better: 'lower' },
        { label: 'Job Server, upload to download', values: server.map(({ seconds }) => seconds) },
        { label: 'the same FFmpeg command, bare', values: bare.map(({ seconds }) => seconds) },
      ),
    ]
  },
}

interface Encoded {
  seconds: number
  sizeBytes: number
}

/** A moving test picture and a tone. It encodes faster than filmed footage, which makes what is added look larger. */
async function makeClip(ffmpeg: string, path: string): Promise<void> {
  const picture = `testsrc2=size=1280x720:rate=30:duration=${clipSeconds}`
  const sound = `sine=frequency=440:sample_rate=48000:duration=${clipSeconds}`
  // biome-ignore format: options beside their values
  await run([
    ffmpeg, '-v', 'error', '-nostdin', '-y',
    '-f', 'lavfi', '-i', picture,
    '-f', 'lavfi', '-i', sound,
    '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-pix_fmt', 'yuv420p',
    '-c:a', 'aac', '-b:a', '128k',
    path,
  ])
}

/** As `encode.video` would have it run. */
async function bareCommand(tools: { ffmpeg: string; ffprobe: string }, input: string) {
  const directory = dirname(input)
  const care = { signal: new AbortController().signal, stallSeconds: deadlineSeconds, directory }
  const media = await probe(tools.ffprobe, input, care)
  const plan = planEncode(media, resolve({ quality, format: 'mp4' }))
  const run = { input, directory, media, plan, targets: plan.targets }
  const options = await encodeOptions(run, { tools, limits: defaultJobLimits }, care)
  const command = [tools.ffmpeg, ...ffmpegOptions, ...options]
  return { command, output: join(directory, plan.targets[0]?.name ?? '') }
}

async function runBare(command: string[], output: string): Promise<Encoded> {
  const startedAt = performance.now()
  await run(command)
  return { seconds: (performance.now() - startedAt) / 1000, sizeBytes: Bun.file(output).size }
}

async function throughServer(api: string, clip: string, result: string): Promise<Encoded> {
  const startedAt = performance.now()
  const bytes = Bun.file(clip)
  const { uploadId, url, headers } = await post(`${api}/v1/videos/uploads`, Opened, {
    filename: 'clip.mp4',
    contentType: 'video/mp4',
    sizeBytes: bytes.size,
  })
  await answered(await fetch(url, { method: 'PUT', body: bytes, headers }))
  await post(`${api}/v1/videos/uploads/${uploadId}/complete`, z.looseObject({}))
  const { jobId } = await post(`${api}/v1/videos/encode`, Enqueued, { uploadId, quality })
  await untilSucceeded(api, jobId)
  const sizeBytes = await Bun.write(result, await answered(await fetch(`${api}/v1/videos/${jobId}/download`)))
  return { seconds: (performance.now() - startedAt) / 1000, sizeBytes }
}

async function untilSucceeded(api: string, jobId: string): Promise<void> {
  const end = performance.now() + deadlineSeconds * 1000
  for (;;) {
    const response = await answered(await fetch(`${api}/v1/videos/${jobId}/status`))
    const { status, error } = Status.parse(await response.json())
    if (status === 'succeeded') return
    if (status === 'failed' || status === 'cancelled') {
      throw new Error(`job ${jobId} ${status}: ${error?.code}: ${error?.message}`)
    }
    if (performance.now() > end) throw new Error(`job ${jobId} is ${status} after ${deadlineSeconds} s`)
    await Bun.sleep(pollMs)
  }
}

/** Other settings or a broken result would show: the same command gives nearly the same bytes every time. */
function requireSameWork(sizesBytes: number[]): void {
  const [smallest, largest] = [Math.min(...sizesBytes), Math.max(...sizesBytes)]
  if (smallest < 0.98 * largest) throw new Error(`the outputs are of ${smallest} to ${largest} bytes`)
}

async function post<Schema extends z.ZodType>(
  url: string,
  schema: Schema,
  body?: object,
): Promise<z.output<Schema>> {
  const json = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await answered(await fetch(url, { method: 'POST', ...(body === undefined ? {} : json) }))
  return schema.parse(await response.json())
}

/** @throws Error when the answer is no success */
async function answered(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`)
  return response
}

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0)
    throw new Error(`FFmpeg ended with status ${child.exitCode}: ${said.trim()}`)
}

/**
 * What the server adds to an encode: a clip from a client's disk and back to it through API, storage and worker,
 * against the very FFmpeg command that the worker runs, on the file as it lies there.
 */
import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Bench, interleave } from './bench.ts'
import { encodeCommand, runCommand } from './encode-command.ts'
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
    const { command, output } = await encodeCommand(stack.tools, clip, quality)
    const database = await stack.openDatabase()
    const [api, worker] = await Promise.all([database.startApi(), database.startWorker()])
    const ours = [api.pid, worker.pid]
    const { server, bare } = await interleave(
      context,
      {
        server: async () => {
          const before = await cpuSecondsOf(ours)
          const encoded = await throughServer(api.url, clip, join(directory, 'result.mp4'))
          return { ...encoded, cpuSeconds: (await cpuSecondsOf(ours)) - before }
        },
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
      compare(
        { name: 'CPU time of it', unit: 's', better: 'lower' },
        {
          label: 'API, worker, job process, FFmpeg, ffprobe',
          values: server.map(({ cpuSeconds }) => cpuSeconds),
        },
        { label: 'the same FFmpeg command, bare', values: bare.map(({ cpuSeconds }) => cpuSeconds) },
      ),
    ]
  },
}

interface Encoded {
  seconds: number
  cpuSeconds: number
  sizeBytes: number
}

/** Of these processes and of all that they have waited for: a job's processes are gone before its end is told (proc(5)). */
async function cpuSecondsOf(pids: number[]): Promise<number> {
  const ticksPerSecond = 100
  const ticks = pids.map(async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // utime, stime, cutime, cstime; the name, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  })
  return (await Promise.all(ticks)).reduce((sum, each) => sum + each, 0) / ticksPerSecond
}

/** A moving test picture and a tone. It encodes faster than filmed footage, which makes what is added look larger. */
async function makeClip(ffmpeg: string, path: string): Promise<void> {
  const picture = `testsrc2=size=1280x720:rate=30:duration=${clipSeconds}`
  const sound = `sine=frequency=440:sample_rate=48000:duration=${clipSeconds}`
  // biome-ignore format: options beside their values
  await runCommand([
    ffmpeg, '-v', 'error', '-nostdin', '-y',
    '-f', 'lavfi', '-i', picture,
    '-f', 'lavfi', '-i', sound,
    '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-pix_fmt', 'yuv420p',
    '-c:a', 'aac', '-b:a', '128k',
    path,
  ])
}

async function runBare(command: string[], output: string): Promise<Encoded> {
  const startedAt = performance.now()
  const cpuSeconds = await runCommand(command)
  return { seconds: (performance.now() - startedAt) / 1000, cpuSeconds, sizeBytes: Bun.file(output).size }
}

async function throughServer(
  api: string,
  clip: string,
  result: string,
): Promise<Omit<Encoded, 'cpuSeconds'>> {
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

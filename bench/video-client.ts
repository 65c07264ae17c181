/** What a client of the video routes does, for benches: a clip to encode, and its way to the server and through it. */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { runCommand } from './encode-command.ts'

const deadlineSeconds = 240

const Opened = z.object({
  uploadId: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
})
const Enqueued = z.object({ jobId: z.string() })
const Waited = z.object({
  status: z.string(),
  errorCode: z.string().nullable(),
  errorSummary: z.string().nullable(),
})

/** Of these processes and of all that they have waited for: a job's processes are gone before its end is told (proc(5)). */
export async function cpuSecondsOf(pids: number[]): Promise<number> {
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
export async function makeClip(ffmpeg: string, path: string, seconds: number): Promise<void> {
  const picture = `testsrc2=size=1280x720:rate=30:duration=${seconds}`
  const sound = `sine=frequency=440:sample_rate=48000:duration=${seconds}`
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

/** @returns the id of the upload, completed */
export async function uploadTo(api: string, clip: string): Promise<string> {
  const bytes = Bun.file(clip)
  const { uploadId, url, headers } = await post(`${api}/v1/videos/uploads`, Opened, {
    filename: 'clip.mp4',
    contentType: 'video/mp4',
    sizeBytes: bytes.size,
  })
  await answered(await fetch(url, { method: 'PUT', body: bytes, headers }))
  await post(`${api}/v1/videos/uploads/${uploadId}/complete`, z.looseObject({}))
  return uploadId
}

/** Resolves when it has succeeded. @returns the id of the job */
export async function encodeBy(api: string, uploadId: string, settings: object): Promise<string> {
  const { jobId } = await post(`${api}/v1/videos/encode`, Enqueued, { uploadId, ...settings })
  await untilSucceeded(api, jobId)
  return jobId
}

/** A client that asks again and again how far it is would take from the encode what it is measured by. */
async function untilSucceeded(api: string, jobId: string): Promise<void> {
  const { status, errorCode, errorSummary } = await post(
    `${api}/v1/jobs/${jobId}/wait?timeout=${deadlineSeconds}`,
    Waited,
  )
  if (status !== 'succeeded') throw new Error(`job ${jobId} is ${status}: ${errorCode}: ${errorSummary}`)
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
export async function answered(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`)
  return response
}

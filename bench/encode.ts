/**
 * What the server adds to an encode: a clip from a client's disk and back to it through API, storage and worker,
 * against the very FFmpeg command that the worker runs, on the file as it lies there.
 */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, interleave } from './bench.ts'
import { encodeCommand, runCommand } from './encode-command.ts'
import { compare } from './measurement.ts'
import { answered, cpuSecondsOf, encodeBy, makeClip, uploadTo } from './video-client.ts'

const clipSeconds = 20
const quality = '720p'

export const encodeBench: Bench = {
  name: 'encode',
  about: `a clip of ${clipSeconds} s at 720p from presigned upload to downloaded result`,
  defaultRounds: 3,
  async run(context) {
    const { stack, onStep } = context
    const directory = await mkdtemp(join(stack.directory, 'encode-'))
    const clip = join(directory, 'clip.mp4')
    onStep('making the clip')
    await makeClip(stack.tools.ffmpeg, clip, clipSeconds)
    const { command, output } = await encodeCommand(stack.tools, clip, { quality })
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
  const jobId = await encodeBy(api, await uploadTo(api, clip), { quality })
  const sizeBytes = await Bun.write(result, await answered(await fetch(`${api}/v1/videos/${jobId}/download`)))
  return { seconds: (performance.now() - startedAt) / 1000, sizeBytes }
}

/** Other settings or a broken result would show: the same command gives nearly the same bytes every time. */
function requireSameWork(sizesBytes: number[]): void {
  const [smallest, largest] = [Math.min(...sizesBytes), Math.max(...sizesBytes)]
  if (smallest < 0.98 * largest) throw new Error(`the outputs are of ${smallest} to ${largest} bytes`)
}

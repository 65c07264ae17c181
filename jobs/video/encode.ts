/**
 * A whole encode in one process, step by step: fetch, probe, plan, encode, package, take pictures, verify, publish. Each
 * step hands plain data to the next. Nothing is published before all of it is verified.
 */
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { EncodeWish } from '../../core/encode-options.ts'
import type { JobContext } from '../../core/job.ts'
import { refuseDamaged } from './damage.ts'
import { findEncoders } from './encoders.ts'
import { runFfmpeg, type ToolCare } from './ffmpeg.ts'
import { encodeArguments, syncOption } from './ffmpeg-args.ts'
import { finishPoster, finishTarget } from './finish.ts'
import { checkLimits } from './limits.ts'
import { PhaseProgress } from './phases.ts'
import { planEncode, type Target } from './plan.ts'
import { type Media, probe } from './probe.ts'
import { publish } from './publish.ts'
import { fetchSource, type VideoSource } from './source.ts'
import { verifyAligned, verifyWhole } from './verify.ts'

/** More threads than this make an encoder slower and its memory larger. */
const maxThreads = 16

interface EncodeParams {
  source: VideoSource
  /** The client's name of the file. */
  filename: string
  wish: EncodeWish
}

export async function encodeVideo({ source, filename, wish }: EncodeParams, context: JobContext) {
  const { scratchDirectory, signal, storage, limits, tools } = context
  const care = { signal, stallSeconds: limits.stallSeconds, directory: scratchDirectory }
  const progress = new PhaseProgress((news) => context.progress(news))
  progress.at('fetching', 0)
  const input = join(scratchDirectory, 'source')
  const { sizeBytes } = await fetchSource(source, input, context)

  const media = await probe(tools.ffprobe, input, care)
  checkLimits(media, sizeBytes, limits.video)
  const plan = planEncode(media, wish)
  const encoded = join(scratchDirectory, 'encoded')
  await mkdir(encoded)
  const { targets } = plan
  const run = { input, directory: encoded, media, plan, targets }
  const { frameCount, damagedFrames } = await encodeTargets(run, context, care, (share, pace) =>
    progress.at('encoding', share, pace),
  )
  refuseDamaged({ damagedFrames, frameCount })
  if (damagedFrames > 0) context.log.warn('damaged', { damagedFrames, frameCount })

  progress.at('packaging', 0)
  const bench = { directory: encoded, finished: join(scratchDirectory, 'finished'), tools, care, filename }
  await mkdir(bench.finished)
  const finished = []
  for (const target of targets) finished.push(await finishTarget(target, frameCount, bench))
  verifyAligned(finished)
  const pictures = finished.filter(({ kind }) => kind === 'video' || kind === 'rendition')
  verifyWhole(media, Math.max(...pictures.map(({ about }) => about.durationSeconds)))
  if (plan.poster !== null) finished.push(await finishPoster(plan.poster, pictures, bench))

  const outputs = await publish(finished, storage, (share) => progress.at('publishing', share))
  progress.done()
  return { outputs, source: describeSource(media, { sizeBytes, damagedFrames }) }
}

interface EncodeRun {
  input: string
  directory: string
  media: Media
  plan: Parameters<typeof encodeArguments>[0]['plan']
  targets: Target[]
}

/** One FFmpeg for all of the targets. @throws JobError as `runFfmpeg` and `findEncoders` */
async function encodeTargets(
  run: EncodeRun,
  context: JobContext,
  care: ToolCare,
  onProgress: (share: number, pace: Record<string, number | null>) => void,
) {
  const options = await encodeOptions(run, context, care)
  context.log.info('encoding', { targets: run.targets.map(({ name }) => name), arguments: options.join(' ') })
  return await runFfmpeg(context.tools.ffmpeg, options, {
    ...care,
    videoStream: run.media.video.index,
    durationSeconds: run.media.durationSeconds,
    longestSeconds: context.limits.video.durationSeconds,
    progress: ({ percent, ...pace }) => onProgress(percent / 100, pace),
  })
}

/** @throws JobError as `findEncoders` */
export async function encodeOptions(
  { media: _media, ...run }: EncodeRun,
  { tools, limits }: Pick<JobContext, 'tools' | 'limits'>,
  care: ToolCare,
): Promise<string[]> {
  const codecs = run.targets.flatMap((target) => [
    ...('video' in target ? [target.video.codec] : []),
    ...('audio' in target && target.audio !== null ? [target.audio.codec] : []),
  ])
  return encodeArguments({
    ...run,
    encoders: await findEncoders(tools.ffmpeg, new Set(codecs), care),
    maxPixels: limits.video.pixels,
    sync: await syncOption(tools.ffmpeg, care),
    threads: Math.min(maxThreads, availableParallelism()),
  })
}

function describeSource(media: Media, more: { sizeBytes: number; damagedFrames: number }) {
  const { container, durationSeconds, video, audio, audioTracks, subtitles } = media
  return {
    container,
    durationSeconds,
    width: video.width,
    height: video.height,
    rotation: video.rotation,
    frameRate: video.frameRate,
    videoCodec: video.codec,
    audioCodec: audio?.codec ?? null,
    audioTracks: audioTracks.map(({ index: _index, ...track }) => track),
    subtitles: subtitles.map(({ index: _index, ...track }) => track),
    ...more,
  }
}

/**
 * A whole encode in one process, step by step: fetch, probe, plan, prepare, encode, package, take pictures, verify,
 * publish. Each step hands plain data to the next. Nothing is published before all of it is verified.
 */
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { EncodeWish } from '../../core/encode/wish.ts'
import type { JobContext } from '../../core/job.ts'
import { refuseDamaged } from './damage.ts'
import { findEncoders, requireFilters } from './encoders.ts'
import { runFfmpeg, type ToolCare } from './ffmpeg.ts'
import { encodeArguments, syncOption } from './ffmpeg-args.ts'
import {
  type FinishBench,
  type FinishedOutput,
  finishPictures,
  finishSubtitles,
  finishTarget,
} from './finish.ts'
import { checkLimits } from './limits.ts'
import { PhaseProgress } from './phases.ts'
import { type EncodePlan, planEncode } from './plan.ts'
import { type Extras, prepareExtras } from './prepare.ts'
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
  const { scratchDirectory, signal, storage, limits, tools, log } = context
  const care = { signal, stallSeconds: limits.stallSeconds, directory: scratchDirectory }
  const progress = new PhaseProgress((news) => context.progress(news))
  progress.at('fetching', 0)
  const input = join(scratchDirectory, 'source')
  const { sizeBytes } = await fetchSource(source, input, context)

  const media = await probe(tools.ffprobe, input, care)
  checkLimits(media, sizeBytes, limits.video)
  const plan = planEncode(media, wish)
  progress.at('preparing', 0)
  const extras = await prepareExtras(input, plan, context, care)

  const encoded = join(scratchDirectory, 'encoded')
  await mkdir(encoded)
  const options = await encodeOptions({ input, directory: encoded, plan, extras }, context, care)
  log.info('encoding', { targets: plan.targets.map(({ name }) => name), arguments: options.join(' ') })
  const { frameCount, damagedFrames } = await runFfmpeg(tools.ffmpeg, options, {
    ...care,
    videoStream: media.video.index,
    durationSeconds: plan.durationSeconds,
    longestSeconds: limits.video.durationSeconds,
    progress: ({ percent, ...pace }) => progress.at('encoding', percent / 100, pace),
  })
  refuseDamaged({ damagedFrames, frameCount })
  if (damagedFrames > 0) log.warn('damaged', { damagedFrames, frameCount })

  progress.at('packaging', 0)
  const bench = { directory: encoded, finished: join(scratchDirectory, 'finished'), tools, care, filename }
  await mkdir(bench.finished)
  const finished = await finishAll(plan, extras, frameCount, media, bench)
  const outputs = await publish(finished, storage, (share) => progress.at('publishing', share))
  progress.done()
  return {
    outputs,
    source: describeSource(media, { sizeBytes, damagedFrames }),
    ...(extras.skipped.length === 0 ? {} : { skipped: extras.skipped }),
  }
}

/** @throws JobError as `findEncoders` and `requireFilters` */
export async function encodeOptions(
  { plan, extras, ...where }: { input: string; directory: string; plan: EncodePlan; extras: Extras },
  { tools, limits }: Pick<JobContext, 'tools' | 'limits'>,
  care: ToolCare,
): Promise<string[]> {
  const { picture, trim, targets } = plan
  const codecs = targets.flatMap((target) => [
    ...('video' in target ? [target.video.codec] : []),
    ...('audio' in target && target.audio !== null ? [target.audio.codec] : []),
  ])
  if (picture.hdr !== null) await requireFilters(tools.ffmpeg, ['zscale', 'tonemap'], care)
  return encodeArguments({
    ...where,
    ...{ picture, trim, targets, ...extras },
    encoders: await findEncoders(tools.ffmpeg, new Set(codecs), care),
    maxPixels: limits.video.pixels,
    sync: await syncOption(tools.ffmpeg, care),
    threads: Math.min(maxThreads, availableParallelism()),
  })
}

/** @throws JobError output_invalid, invalid_media */
async function finishAll(
  plan: EncodePlan,
  extras: Extras,
  frameCount: number,
  media: Media,
  bench: FinishBench,
): Promise<FinishedOutput[]> {
  const finished: FinishedOutput[] = []
  for (const target of plan.targets) finished.push(await finishTarget(target, frameCount, bench))
  verifyAligned(finished)
  const videos = finished.flatMap(({ path, picture }) =>
    picture === undefined ? [] : [{ path, ...picture }],
  )
  verifyWhole(media, plan, Math.max(...videos.map(({ durationSeconds }) => durationSeconds)))
  for (const { track, path } of extras.subtitles) {
    finished.push(await finishSubtitles(track, path, plan.durationSeconds, bench))
  }
  const [largest] = videos.toSorted((a, b) => b.width * b.height - a.width * a.height)
  if (largest !== undefined) finished.push(...(await finishPictures(plan, largest, bench)))
  return finished.filter(({ kind }) => kind !== 'draft')
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

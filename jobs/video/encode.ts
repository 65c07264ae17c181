/**
 * A whole encode, step by step: fetch, probe, plan, prepare, encode, package, take pictures, verify, publish. Each step
 * hands plain data to the next. Nothing is published before all of it is verified; to store it begins before. To encode may
 * be divided among the workers (segments/): then children do that, and what follows is done when all of them have.
 */
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { EncodeWish } from '../../core/encode/wish.ts'
import type { ChildEnd, JobContext } from '../../core/job.ts'
import { abilitiesOf } from './abilities.ts'
import { refuseDamaged } from './damage.ts'
import { findEncoders, requireToneMapping } from './encoders.ts'
import { careOf, runFfmpeg, type ToolCare } from './ffmpeg.ts'
import { type EncodeCommand, encodeArguments, syncOption } from './ffmpeg-args.ts'
import {
  type FinishBench,
  type FinishedOutput,
  finishPictures,
  finishSubtitles,
  finishTarget,
} from './finish.ts'
import { checkLimits } from './limits.ts'
import { outputLimits } from './output-bound.ts'
import { OutputUploads } from './output-uploads.ts'
import { PhaseProgress } from './phases.ts'
import { type EncodePlan, planEncode, soundsOf } from './plan.ts'
import { type Extras, fetchWatermark, prepareExtras } from './prepare.ts'
import { type Media, probe } from './probe.ts'
import { publish } from './publish.ts'
import { wantedPieces } from './segments/decide.ts'
import { divide } from './segments/divide.ts'
import { joinParts } from './segments/join-parts.ts'
import { startParts } from './segments/start-parts.ts'
import { fetchSource, type VideoSource } from './source.ts'
import { refuseEmptyPart, verifyAligned, verifyWhole } from './verify.ts'

/** More threads than this make an encoder slower and its memory larger. */
const maxThreads = 16

interface EncodeParams {
  source: VideoSource
  /** The client's name of the file. */
  filename: string
  wish: EncodeWish
}

export async function encodeVideo({ source, filename, wish }: EncodeParams, context: JobContext) {
  const { scratchDirectory, limits, tools, log } = context
  const care = careOf(context)
  const progress = new PhaseProgress((news) => context.progress(news))
  progress.at('fetching', 0)
  const input = join(scratchDirectory, 'source')
  const { sizeBytes } = await fetchSource(source, input, context)

  const media = await probe(tools.ffprobe, input, care, wish.trim?.end ?? undefined)
  checkLimits(media, sizeBytes, limits.video)
  const plan = planEncode(media, wish)
  progress.at('preparing', 0)
  const extras = await prepareExtras(input, plan, context, care)
  const { durationSeconds } = plan
  const count = wantedPieces(wish.segments, { durationSeconds, freeSlots: context.fleet.freeSlots })
  const parts = await divide({ source, input, media, plan, extras, count }, tools.ffprobe, care)
  if (typeof parts !== 'string') {
    progress.at('encoding', 0)
    return startParts(parts, { media, plan, sizeBytes, skipped: extras.skipped }, context)
  }

  const encoded = await makeDirectory(scratchDirectory, 'encoded')
  const { picture, trim, targets } = plan
  const watermark = await fetchWatermark(plan, context, care)
  const command = { input, directory: encoded, picture, trim, targets, watermark, ...extras }
  const options = await encodeOptions(command, context, care)
  log.info('encoding', { targets: targets.map(({ name }) => name), arguments: options.join(' ') })
  const { frameCount, damagedFrames } = await runFfmpeg(tools.ffmpeg, options, {
    ...care,
    videoStream: media.video.index,
    ...outputLimits(targets, { directory: encoded, durationSeconds }, limits),
    progress: ({ percent, ...pace }) => progress.at('encoding', percent / 100, pace),
  })
  const whole = { media, plan, extras, sizeBytes, filename, frameCount, damagedFrames }
  return { ...(await complete(whole, encoded, context, progress)), segments: { count: 1, because: parts } }
}

/** The attempt after the parts of a divided encode have ended: what they encoded is joined, and then goes the same way. */
export async function joinVideo(filename: string, context: JobContext, children: ChildEnd[]) {
  const progress = new PhaseProgress((news) => context.progress(news))
  progress.at('packaging', 0)
  const encoded = await makeDirectory(context.scratchDirectory, 'encoded')
  const { state, pieceCount, ...counts } = await joinParts(children, encoded, context)
  // What else there may be was of use to the parts, or a reason not to divide.
  const extras = { subtitles: [], skipped: state.skipped ?? [] }
  const whole = { ...state, ...counts, filename, extras }
  return { ...(await complete(whole, encoded, context, progress)), segments: { count: pieceCount } }
}

interface Encoded {
  media: Media
  plan: EncodePlan
  extras: Pick<Extras, 'subtitles' | 'skipped'>
  /** Of the source. */
  sizeBytes: number
  filename: string
  frameCount: number
  damagedFrames: number
}

/** @param directory where the targets lie as FFmpeg wrote them */
async function complete(encoded: Encoded, directory: string, context: JobContext, progress: PhaseProgress) {
  const { media, extras, sizeBytes, filename, frameCount, damagedFrames } = encoded
  const { scratchDirectory, tools, storage, log } = context
  const { trim } = encoded.plan
  // Before: what is damaged ahead of the part must not cost the upload.
  refuseEmptyPart(trim, frameCount)
  refuseDamaged({ damagedFrames, frameCount })
  if (damagedFrames > 0) log.warn('damaged', { damagedFrames, frameCount })
  progress.at('packaging', 0)
  const finished = await makeDirectory(scratchDirectory, 'finished')
  const uploads = new OutputUploads(storage)
  const bench = { directory, finished, uploads, tools, care: careOf(context), filename, trim }
  const outputs = await finishAll(encoded, bench)
    .then((verified) => publish(verified, uploads, (share) => progress.at('publishing', share)))
    .catch(async (error) => {
      await uploads.giveUp()
      throw error
    })
  progress.done()
  const skipped = [...extras.skipped, ...skippedSounds(media)]
  return {
    outputs,
    source: describeSource(media, { sizeBytes, damagedFrames }),
    ...(skipped.length === 0 ? {} : { skipped }),
  }
}

async function makeDirectory(parent: string, name: string): Promise<string> {
  const path = join(parent, name)
  await mkdir(path)
  return path
}

type EncodeOptions = Omit<EncodeCommand, 'encoders' | 'maxPixels' | 'sync' | 'threads' | 'hasFineClock'> & {
  /** Default: as many as there are processors. */
  threads?: number
}

/** @throws JobError as `findEncoders` and `requireToneMapping` */
export async function encodeOptions(
  { threads = Math.min(maxThreads, availableParallelism()), ...what }: EncodeOptions,
  { tools, limits }: Pick<JobContext, 'tools' | 'limits'>,
  care: ToolCare,
): Promise<string[]> {
  const codecs = what.targets.flatMap((target) => [
    ...('video' in target ? [target.video.codec] : []),
    ...soundsOf(target).map(({ codec }) => codec),
  ])
  const abilities = await abilitiesOf(tools, care)
  if (what.picture.hdr !== null) requireToneMapping(abilities)
  return encodeArguments({
    ...what,
    encoders: findEncoders(abilities, new Set(codecs)),
    maxPixels: limits.video.pixels,
    sync: syncOption(abilities),
    hasFineClock: abilities.fpsMode,
    threads,
  })
}

/** @throws JobError output_invalid, invalid_media */
async function finishAll(
  { plan, extras, frameCount, media }: Encoded,
  bench: FinishBench,
): Promise<FinishedOutput[]> {
  const finished: FinishedOutput[] = []
  const [first] = plan.targets.flatMap((target) => ('video' in target ? [target.video] : []))
  for (const target of plan.targets) {
    // It is that of the first: of a source of varying rate, those at a constant one have others.
    const isThatOfFirst =
      'video' in target && (target.video.frameRate === null) === (first?.frameRate === null)
    finished.push(await finishTarget(target, isThatOfFirst ? frameCount : null, bench))
  }
  verifyAligned(finished)
  const videos = finished.flatMap(({ path, picture }) =>
    picture === undefined ? [] : [{ path, ...picture }],
  )
  verifyWhole(
    media,
    plan,
    Math.max(...videos.map(({ startSeconds, endSeconds }) => startSeconds + endSeconds)),
  )
  for (const { track, path } of extras.subtitles) {
    finished.push(await finishSubtitles(track, path, plan.durationSeconds, bench))
  }
  const [largest] = videos.toSorted((a, b) => b.width * b.height - a.width * a.height)
  if (largest !== undefined) finished.push(...(await finishPictures(plan, largest, bench)))
  return finished.filter(({ kind }) => kind !== 'draft')
}

/** A divided encode that an earlier release began has not looked for them. */
function skippedSounds({
  emptySounds = [],
  unknownSounds = [],
}: Partial<Pick<Media, 'emptySounds' | 'unknownSounds'>>) {
  const named = (reason: string) => (number: number) => ({ name: `audio-${number}`, reason })
  return [
    ...emptySounds.map(named('The track is announced, but there is nothing in it.')),
    ...unknownSounds.map(named('The codec of the track is not known.')),
  ]
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

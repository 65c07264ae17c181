/** What an encode needs beside the source: subtitles as text, how loud each sound is, the watermark in its size. */
import { join } from 'node:path'
import type { JobContext } from '../../core/job.ts'
import { readsCaptions } from './captions.ts'
import type { ToolCare } from './ffmpeg.ts'
import type { Stem } from './ffmpeg-args.ts'
import { largestOf } from './filters.ts'
import { measureLoudness } from './loudness.ts'
import { type EncodePlan, type PicturePlan, type SubtitlePlan, soundsOf, type Target } from './plan.ts'
import { extractSubtitles } from './subtitles.ts'
import { prepareWatermark } from './watermark.ts'

export interface Extras {
  subtitles: { path: string; language: string | null; track: SubtitlePlan }[]
  /** Subtitles and captions that are left out, and why. */
  skipped: { name: string; reason: string }[]
  /** Filter by which the sound of a stream is brought to its loudness. */
  loudness: Map<number, string>
}

type PrepareContext = Pick<JobContext, 'tools' | 'storage' | 'scratchDirectory'>

/** @throws JobError as `runFfmpeg` */
export async function prepareExtras(
  input: string,
  plan: EncodePlan,
  context: PrepareContext,
  care: ToolCare,
): Promise<Extras> {
  const { tools, scratchDirectory } = context
  const extras: Extras = { subtitles: [], skipped: [], loudness: new Map() }
  for (const track of plan.subtitles) {
    const path = join(scratchDirectory, track.name)
    const reason = await extractSubtitles(tools.ffmpeg, { input, to: path, track, trim: plan.trim }, care)
    if (reason === null) extras.subtitles.push({ path, language: track.language, track })
    else extras.skipped.push({ name: track.name, reason })
  }
  if (plan.targets.some((target) => 'video' in target && target.video.codec !== 'h264')) {
    if (await readsCaptions(tools.ffprobe, { input, stream: plan.picture.videoStream }, care)) {
      const reason = 'They lie in the pictures, and come along in H.264 alone.'
      extras.skipped.push({ name: 'closed-captions', reason })
    }
  }
  if (plan.loudness !== null) {
    for (const stream of soundStreams(plan)) {
      const measure = { input, stream, lufs: plan.loudness, trim: plan.trim }
      const filter = await measureLoudness(tools.ffmpeg, measure, care)
      if (filter !== null) extras.loudness.set(stream, filter)
    }
  }
  return extras
}

/** Where it is used: of a divided video, in its parts. @returns null where there is none @throws JobError invalid_watermark, source_missing */
export async function fetchWatermark(
  { picture, targets }: { picture: PicturePlan; targets: (Target | Stem)[] },
  { tools, storage, scratchDirectory }: PrepareContext,
  care: ToolCare,
): Promise<string | null> {
  const look = picture.watermark
  const largest = largestOf(targets.flatMap((target) => ('video' in target ? [target.video] : [])))
  if (look === null || largest === undefined) return null
  const from = join(scratchDirectory, 'watermark')
  const to = join(scratchDirectory, 'watermark.png')
  await storage.download(look.key, from)
  await prepareWatermark(tools.ffmpeg, { from, to, width: largest.width, look }, care)
  return to
}

function soundStreams({ targets }: EncodePlan): Set<number> {
  return new Set(targets.flatMap(soundsOf).map(({ stream }) => stream))
}

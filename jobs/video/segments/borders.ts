/**
 * Looks at the ends of an encoded piece, where it will be joined to its neighbours: whether its pictures there are as near
 * to what the source shows as those beside them are.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobContext } from '../../../core/job.ts'
import { ffmpegOptions, runTool, type ToolCare } from '../ffmpeg.ts'
import { sourceOptions } from '../ffmpeg-args.ts'
import { filterGraph } from '../filters.ts'
import { type Input, inputOptions } from '../input.ts'
import type { Fraction, VideoPlan } from '../plan.ts'
import { invalidPiece, type PartParams } from './part.ts'
import { type Border, frameAt, type Piece } from './piece.ts'

/** Of the frames that are looked at, so many lie at the join. */
const joinFrames = 3
/**
 * Structural similarity to the source that a frame at a join may lack, against the worst beside it. Where a scene begins,
 * a lack of bits takes some tenths; another picture takes more.
 */
const tolerance = 0.3

export interface EncodedPiece {
  part: PartParams
  piece: Piece
  input: Input
  directory: string
  watermark: string | null
  threads: number
}

/** @throws JobError output_invalid, stalled */
export async function verifyBorders(
  encoded: EncodedPiece,
  { tools, limits, log }: Pick<JobContext, 'tools' | 'limits' | 'log'>,
  care: ToolCare,
): Promise<void> {
  const bench = { ...encoded, ffmpeg: tools.ffmpeg, maxPixels: limits.video.pixels, care, log }
  for (const border of encoded.piece.borders) await verifyBorder(bench, border)
}

type Bench = EncodedPiece & Pick<JobContext, 'log'> & { ffmpeg: string; maxPixels: number; care: ToolCare }
type Rendition = { name: string; video: VideoPlan }

async function verifyBorder(bench: Bench, border: Border): Promise<void> {
  const { piece, part, directory, threads, watermark, care } = bench
  const targets = renditionsOf(bench)
  const graph = filterGraph(
    part.picture,
    targets.map(({ video }) => video),
    rangeOf(bench, border),
  )
  const inputs: string[] = []
  const compared = targets.map(({ name, video }, index) => {
    const rate = video.frameRate ?? piece.rate
    const count = framesOf(border, piece.rate, rate)
    const start = frameAt(border.firstFrame, piece.rate, rate) - frameAt(piece.firstFrame, piece.rate, rate)
    // Half a frame before: times are rounded.
    const seek = start === 0 ? [] : ['-ss', (((start - 0.5) * rate.den) / rate.num).toFixed(6)]
    inputs.push('-threads', String(threads), ...seek, ...inputOptions(join(directory, name)))
    const number = index + (watermark === null ? 1 : 2)
    const byOrder = 'setpts=N/25/TB'
    return [
      `[v${index}]${byOrder}[source${index}]`,
      `[${number}:v]trim=end_frame=${count},format=yuv420p,${byOrder}[piece${index}]`,
      `[piece${index}][source${index}]ssim=stats_file=${statistics(index)}[compared${index}]`,
    ].join(';')
  })
  const { exitCode, lastLines } = await runTool(
    'FFmpeg',
    bench.ffmpeg,
    [
      ...ffmpegOptions,
      ...sourceOptions({ ...bench, picture: part.picture, trim: null, entry: { ...part, ...border } }),
      ...inputs,
      ...['-filter_complex', [graph, ...compared].join(';')],
      ...targets.flatMap((_, index) => ['-map', `[compared${index}]`]),
      ...['-f', 'null', '-'],
    ],
    care,
  )
  if (exitCode !== 0) {
    // An FFmpeg without the filter, for one: what is encoded is none the worse for it.
    bench.log.warn('a border was not compared', { ...border, lastLines })
    return
  }
  for (const [index, target] of targets.entries()) {
    const text = await readFile(join(care.directory, statistics(index)), 'utf8')
    judge(target, border, piece.rate, similaritiesOf(text))
  }
}

function judge(target: Rendition, border: Border, from: Fraction, similarities: number[]): void {
  const rate = target.video.frameRate ?? from
  // A source that is damaged may show nothing there.
  if (similarities.length !== framesOf(border, from, rate)) return
  const inOrder = border.side === 'head' ? similarities : similarities.toReversed()
  const near = Math.max(1, frameAt(joinFrames, from, rate))
  const atJoin = Math.min(...inOrder.slice(0, near))
  const inside = Math.min(...inOrder.slice(near))
  if (atJoin < inside - tolerance) {
    throw invalidPiece(
      target,
      `is less like the source at its ${border.side} than further inside: ${atJoin}, not ${inside}`,
    )
  }
}

function renditionsOf({ part }: Bench): Rendition[] {
  return part.targets.flatMap((target) => ('video' in target ? [target] : []))
}

function rangeOf({ piece }: Bench, { firstFrame, endFrame, fromSeconds }: Border) {
  return { trim: null, piece: { ...piece, firstFrame, endFrame, fromSeconds } }
}

function framesOf({ firstFrame, endFrame }: Border, from: Fraction, to: Fraction): number {
  return frameAt(endFrame, from, to) - frameAt(firstFrame, from, to)
}

const statistics = (index: number) => `border-${index}.log`

function similaritiesOf(text: string): number[] {
  return [...text.matchAll(/\bAll:(-?[\d.]+)/g)].map(([, value]) => Number(value))
}

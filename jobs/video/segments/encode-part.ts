/** What a child does: encodes its part, checks it, and stores what it encoded for the parent. */

import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { JobContext } from '../../../core/job.ts'
import { encodeOptions } from '../encode.ts'
import { careOf, runFfmpeg } from '../ffmpeg.ts'
import { outputLimits } from '../output-bound.ts'
import { fetchWatermark } from '../prepare.ts'
import { verifyBorders } from './borders.ts'
import { measurePiece } from './join.ts'
import { invalidPiece, type PartParams, type PartResult } from './part.ts'
import { PartPercent } from './part-percent.ts'
import { frameAt, type Piece } from './piece.ts'
import { startRelay } from './source-relay.ts'

/** How many frames more the end of the source may make than its times tell. */
const endFrames = 2

/** @throws JobError as `runFfmpeg`; storage_unavailable; output_invalid when a piece is not what was asked for */
export async function encodePart(part: PartParams, context: JobContext): Promise<PartResult> {
  const { scratchDirectory, storage, limits, tools } = context
  const directory = join(scratchDirectory, 'part')
  await mkdir(directory)
  const care = careOf(context)
  const percent = new PartPercent(context)
  const relay = await startRelay(storage, part.source.key, care)
  try {
    const { targets, piece, picture, startSeconds, durationSeconds } = part
    const watermark = await fetchWatermark(part, context, care)
    const threads = Math.max(1, Math.floor(availableParallelism() / limits.slots))
    const entry = { startSeconds, seekSeconds: piece?.seekSeconds ?? 0 }
    const options = await encodeOptions(
      {
        ...{ input: relay.url, directory, picture, targets, entry, piece, threads, watermark },
        ...{ trim: null, subtitles: [], loudness: new Map(part.loudness) },
      },
      context,
      care,
    )
    context.log.info('encoding a part', { targets: targets.map(({ name }) => name), piece, threads })
    const { frameCount, damagedFrames } = await runFfmpeg(tools.ffmpeg, options, {
      ...care,
      videoStream: picture.videoStream,
      ...outputLimits(targets, { directory, durationSeconds }, limits),
      expectedFrames: part.frameCount > 0 ? part.frameCount : null,
      progress: (news) => percent.report(news),
    })
    if (piece !== null) {
      await verifyPiece(part, piece, directory)
      await verifyBorders({ part, piece, input: relay.url, directory, watermark, threads }, context, care)
    }
    const files = []
    for (const { name } of targets) {
      const { key, sizeBytes } = await storage.upload(join(directory, name), {
        name,
        contentType: 'video/mp4',
      })
      files.push({ name, key, sizeBytes })
    }
    return { files, frameCount, damagedFrames }
  } catch (error) {
    throw relay.failure() ?? error
  } finally {
    await relay.stop()
  }
}

/** Every target has exactly the frames of the piece, each as long as the next; only the last may end sooner. */
async function verifyPiece(
  { targets, frameCount }: PartParams,
  piece: Piece,
  directory: string,
): Promise<void> {
  for (const target of targets) {
    if (!('video' in target)) continue
    const rate = target.video.frameRate ?? piece.rate
    const place = (frame: number) => frameAt(frame, piece.rate, rate)
    const expected = place(piece.firstFrame + frameCount) - place(piece.firstFrame)
    const is = await measurePiece(join(directory, target.name))
    const isAllowed =
      piece.endFrame === null
        ? is.frameCount >= 1 && is.frameCount <= expected + endFrames
        : is.frameCount === expected
    if (!isAllowed) throw invalidPiece(target, `has ${is.frameCount} pictures, not ${expected}`)
    const seconds = (is.frameCount * rate.den) / rate.num
    if (Math.abs(is.durationSeconds - seconds) > (0.5 * rate.den) / rate.num) {
      throw invalidPiece(target, `is ${is.durationSeconds} s long, not ${seconds}`)
    }
  }
}

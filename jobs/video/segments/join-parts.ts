/** From what the children stored to files as one FFmpeg would have written them. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChildEnd, JobContext } from '../../../core/job.ts'
import { careOf, runFfmpeg } from '../ffmpeg.ts'
import { containerOptions, soundNames } from '../ffmpeg-args.ts'
import { inputOptions } from '../input.ts'
import { onOurs } from '../ours.ts'
import type { Target } from '../plan.ts'
import { pictureName, stemName } from './divide.ts'
import { TrackJoin } from './join.ts'
import { PartResult } from './part.ts'
import type { DividedEncode } from './start-parts.ts'

/** Pictures at the beginning of a piece that lean on what lies before it: they are decoded amiss, and not used. */
const leaningFrames = 16

/**
 * @param children all succeeded, in the order of the parts
 * @param directory where the targets of the plan go
 */
export async function joinParts(children: ChildEnd[], directory: string, context: JobContext) {
  const state = context.checkpoint as unknown as DividedEncode
  const parts = children.map(({ result }) => PartResult.parse(result))
  let pieceCount = 0
  const frameCounts: number[] = []
  for (const target of state.plan.targets) {
    const name = pictureName(target)
    const pieces = 'video' in target ? filesOf(parts, name) : []
    if (pieces.length === 0) {
      const part = await fetchWhole(parts, target.name, directory, context)
      if ('video' in target) frameCounts.push(part.frameCount)
      continue
    }
    frameCounts.push(await joinPieces(pieces, join(directory, name), context))
    if (target.kind === 'file') await mux(target, state.phaseSeconds, parts, directory, context)
    pieceCount = pieces.length
  }
  // As FFmpeg counts those of the first target.
  const [frameCount = 0] = frameCounts
  return { state, pieceCount, frameCount, damagedFrames: damagedOf(parts) }
}

type PartFile = PartResult['files'][number]

function filesOf(parts: PartResult[], name: string): PartFile[] {
  return parts.flatMap(({ files }) => files.filter((file) => file.name === name))
}

/** One after another, so that scratch space holds the video and a piece. @returns how many frames there are */
async function joinPieces(
  pieces: PartFile[],
  to: string,
  { storage, scratchDirectory }: JobContext,
): Promise<number> {
  const track = new TrackJoin(to)
  try {
    for (const { key } of pieces) {
      const piece = join(scratchDirectory, 'piece')
      await storage.download(key, piece)
      await track.add(piece)
      await rm(piece)
    }
  } finally {
    await track.close()
  }
  return track.frameCount
}

/** @returns the part that encoded it */
async function fetchWhole(parts: PartResult[], name: string, directory: string, { storage }: JobContext) {
  for (const part of parts) {
    const file = part.files.find((each) => each.name === name)
    if (file === undefined) continue
    await storage.download(file.key, join(directory, name))
    return part
  }
  throw new Error(`no part has encoded ${name}`)
}

/** Pictures and sound become one file; nothing is encoded again. */
async function mux(
  target: Extract<Target, { kind: 'file' }>,
  phaseSeconds: number,
  parts: PartResult[],
  directory: string,
  context: JobContext,
): Promise<void> {
  const inputs = [join(directory, pictureName(target))]
  if (target.audio !== null) {
    await fetchWhole(parts, stemName(target), directory, context)
    inputs.push(join(directory, stemName(target)))
  }
  const options = [
    '-copyts', // one of the two may begin later than the other
    ...['-itsoffset', phaseSeconds.toFixed(6)],
    ...inputs.flatMap(inputOptions),
    ...inputs.flatMap((_, index) => ['-map', String(index)]),
    ...['-c', 'copy', '-map_metadata', '-1'],
    ...soundNames(target),
    ...containerOptions(target),
    join(directory, target.name),
  ]
  await onOurs(runFfmpeg(context.tools.ffmpeg, options, careOf(context)))
  for (const input of inputs) await rm(input)
}

/** A part that decodes the video whole meets the same damage as the pieces do together. */
export function damagedOf(parts: PartResult[]): number {
  const isPiece = ({ files }: PartResult) => files.some(({ name }) => filesOf(parts, name).length > 1)
  const whole = parts.filter((part) => !isPiece(part)).map(({ damagedFrames }) => damagedFrames)
  const inPieces = parts.filter(isPiece).reduce((sum, { damagedFrames }, index) => {
    return sum + Math.max(0, damagedFrames - (index === 0 ? 0 : leaningFrames))
  }, 0)
  return Math.max(inPieces, ...whole)
}

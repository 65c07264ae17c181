/**
 * Fragmented MP4 (ISO/IEC 14496-12) as FFmpeg writes it: a head (`ftyp`, `moov`), then fragments (`moof`, `mdat`), each
 * from a key frame on.
 */
import { type Box, childBoxes, findBox, viewOf } from './boxes.ts'

export interface Timing {
  /** Units of time in a second. */
  timescale: number
  /** Of a sample that says nothing else, in those units. */
  defaultDuration: number
}

/** @param head `ftyp` and `moov`; @throws Error when they are not what FFmpeg writes */
export function timingOf(head: Uint8Array): Timing {
  const view = viewOf(head)
  const media = required(findBox(head, 'moov/trak/mdia/mdhd'), 'mdhd')
  const at = media.offset + media.headBytes
  const defaults = required(findBox(head, 'moov/mvex/trex'), 'trex')
  return {
    timescale: view.getUint32(at + (head[at] === 1 ? 20 : 12)),
    defaultDuration: view.getUint32(defaults.offset + defaults.headBytes + 12),
  }
}

/** What the entries of a run hold (8.8.8), four bytes each. */
const hasDuration = 0x100
const entryFields = [hasDuration, 0x200, 0x400, 0x800]

/** @param moof the box, alone; @returns how long its samples are together, in the timescale, and how many */
export function measureFragment(
  moof: Uint8Array,
  { defaultDuration }: Timing,
): { duration: number; sampleCount: number } {
  const view = viewOf(moof)
  const track = required(findBox(moof, 'moof/traf'), 'traf')
  const ofEach = fragmentDuration(moof, track) ?? defaultDuration
  const runs = childBoxes(moof, track.offset + track.headBytes, track.offset + track.sizeBytes)
  let [duration, sampleCount] = [0, 0]
  for (const run of runs.filter(({ type }) => type === 'trun')) {
    const at = run.offset + run.headBytes
    const flags = view.getUint32(at) & 0xff_ffff
    const count = view.getUint32(at + 4)
    const entryBytes = 4 * entryFields.filter((field) => flags & field).length
    const entriesAt = at + 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0)
    for (let index = 0; index < count; index++) {
      duration += flags & hasDuration ? view.getUint32(entriesAt + index * entryBytes) : ofEach
    }
    sampleCount += count
  }
  return { duration, sampleCount }
}

/** The default that a fragment's header sets for its samples (8.8.7). */
function fragmentDuration(moof: Uint8Array, track: Box): number | undefined {
  const header = required(findBox(moof, 'tfhd', track), 'tfhd')
  const at = header.offset + header.headBytes
  const view = viewOf(moof)
  const flags = view.getUint32(at) & 0xff_ffff
  if (!(flags & 0x8)) return undefined
  return view.getUint32(at + 8 + (flags & 0x1 ? 8 : 0) + (flags & 0x2 ? 4 : 0))
}

function required(box: Box | undefined, type: string): Box {
  if (box === undefined) throw new Error(`the file has no box "${type}"`)
  return box
}

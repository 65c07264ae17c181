/**
 * Fragmented MP4 (ISO/IEC 14496-12) as FFmpeg writes it: a head (`ftyp`, `moov`), then fragments (`moof`, `mdat`), each
 * from a key frame on. Here it is read, and corrected so that it plays in segments without its head's edit list.
 */
import { type Box, childBoxes, findBox, viewOf } from './boxes.ts'

export interface Head {
  bytes: Uint8Array
  /** Units of time in a second. */
  timescale: number
  /** What the edit list takes from all times: B-frames make the first picture late. */
  editOffset: number
  defaultDuration: number
}

/** @param bytes `ftyp` and `moov`; @throws Error when they are not what FFmpeg writes */
export function readHead(bytes: Uint8Array): Head {
  const view = viewOf(bytes)
  const track = required(findBox(bytes, 'moov/trak'), 'trak')
  const header = required(findBox(bytes, 'mdia/mdhd', track), 'mdhd')
  const at = header.offset + header.headBytes
  const timescale = view.getUint32(at + (bytes[at] === 1 ? 20 : 12))
  const extends_ = findBox(bytes, 'moov/mvex/trex')
  return {
    bytes,
    timescale,
    editOffset: editOffset(bytes, track),
    defaultDuration: extends_ === undefined ? 0 : view.getUint32(extends_.offset + extends_.headBytes + 12),
  }
}

/** The media time of the one edit that shows something (8.6.6). */
function editOffset(bytes: Uint8Array, track: Box): number {
  const list = findBox(bytes, 'edts/elst', track)
  if (list === undefined) return 0
  const view = viewOf(bytes)
  const at = list.offset + list.headBytes
  const long = bytes[at] === 1
  const count = view.getUint32(at + 4)
  for (let index = 0; index < count; index++) {
    const entry = at + 8 + index * (long ? 20 : 12)
    const mediaTime = long ? Number(view.getBigInt64(entry + 8)) : view.getInt32(entry + 4)
    if (mediaTime >= 0) return mediaTime
  }
  return 0
}

/** Renames the edit list away, for fragments whose times were corrected: every reader skips a `free` box. */
export function dropEdits({ bytes }: Head): void {
  const edits = findBox(bytes, 'moov/trak/edts')
  if (edits !== undefined) bytes.set(new TextEncoder().encode('free'), edits.offset + 4)
}

const hasDataOffset = 0x1
const hasFirstFlags = 0x4
const hasDuration = 0x100
const hasSize = 0x200
const hasFlags = 0x400
const hasTimeOffset = 0x800

/**
 * Adds up how long a fragment's samples are, and takes the edit list's offset from their times, in place (8.8.8).
 * @param bytes of the `moof`
 * @returns in the head's timescale
 */
export function correctFragment(
  bytes: Uint8Array,
  { editOffset: offset, defaultDuration }: Head,
): { duration: number; sampleCount: number } {
  const fragment = { duration: 0, sampleCount: 0 }
  const view = viewOf(bytes)
  const track = required(findBox(bytes, 'moof/traf'), 'traf')
  const duration = fragmentDuration(bytes, track) ?? defaultDuration
  const runs = childBoxes(bytes, track.offset + track.headBytes, track.offset + track.sizeBytes)
  for (const run of runs.filter(({ type }) => type === 'trun')) {
    const at = run.offset + run.headBytes
    const flags = view.getUint32(at) & 0xff_ffff
    const count = view.getUint32(at + 4)
    let place = at + 8 + (flags & hasDataOffset ? 4 : 0) + (flags & hasFirstFlags ? 4 : 0)
    // Version 1: offsets may be negative.
    if (flags & hasTimeOffset) bytes[at] = 1
    for (let index = 0; index < count; index++) {
      fragment.duration += flags & hasDuration ? view.getUint32(place) : duration
      place += flags & hasDuration ? 4 : 0
      place += flags & hasSize ? 4 : 0
      place += flags & hasFlags ? 4 : 0
      if (flags & hasTimeOffset) {
        view.setInt32(place, view.getInt32(place) - offset)
        place += 4
      }
    }
    fragment.sampleCount += count
  }
  return fragment
}

/** The default that a fragment's header sets for its samples (8.8.7). */
function fragmentDuration(bytes: Uint8Array, track: Box): number | undefined {
  const header = required(findBox(bytes, 'tfhd', track), 'tfhd')
  const at = header.offset + header.headBytes
  const view = viewOf(bytes)
  const flags = view.getUint32(at) & 0xff_ffff
  if (!(flags & 0x8)) return undefined
  return view.getUint32(at + 8 + (flags & 0x1 ? 8 : 0) + (flags & 0x2 ? 4 : 0))
}

function required(box: Box | undefined, type: string): Box {
  if (box === undefined) throw new Error(`the file has no box "${type}"`)
  return box
}

/**
 * Makes a track of an encoded file that HLS and DASH play in segments: one file with the head, an index (`sidx`) and
 * the fragments behind each other, and a playlist that names the segments as ranges of it. So a video is a handful of
 * objects, not thousands, and one link is good for all of a track's segments.
 */
import { open, writeFile } from 'node:fs/promises'
import { JobError } from '../../core/job.ts'
import { childBoxes, readHead } from './boxes.ts'
import { holdsCaptions } from './captions.ts'
import { codecString } from './codec-string.ts'
import { measureFragment, type Timing, timingOf } from './fragments.ts'

/** Two groups of pictures. */
const segmentSeconds = 4

interface Segment {
  offset: number
  sizeBytes: number
  durationSeconds: number
}

/** First byte, and the byte behind the last. */
type Range = [from: number, to: number]

export interface Track {
  /** As players are told, for example `avc1.640028`. */
  codecs: string
  headRange: Range
  indexRange: Range
  segments: Segment[]
  /** Bits per second of the whole, and of the largest segment. */
  averageBitrate: number
  peakBitrate: number
  durationSeconds: number
  sampleCount: number
  /** In its pictures. */
  hasCaptions: boolean
}

interface Fragment {
  sizeBytes: number
  duration: number
  sampleCount: number
}

/** @param from as FFmpeg wrote it, @param to where the track goes */
export async function packageTrack(from: string, to: string): Promise<Track> {
  const input = await open(from)
  const output = await open(to, 'w')
  try {
    const { head, boxes } = await readBoxes(input)
    const timing = timingOf(head)
    const fragments: Fragment[] = []
    for (const [index, box] of boxes.entries()) {
      const data = boxes[index + 1]
      if (box.type !== 'moof' || data === undefined) continue
      const moof = new Uint8Array(box.sizeBytes)
      await input.read(moof, 0, moof.length, box.offset)
      const sizeBytes = box.sizeBytes + data.sizeBytes
      fragments.push({ sizeBytes, ...measureFragment(moof, timing) })
    }
    const groups = grouped(fragments, segmentSeconds * timing.timescale)
    const index = segmentIndex(groups, timing.timescale)
    await output.write(head)
    await output.write(index)
    const bodyBytes = fragments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    let hasCaptions = false
    await copy(input, output, boxes[0]?.offset ?? 0, bodyBytes, (bytes) => {
      hasCaptions ||= holdsCaptions(bytes)
    })
    return { ...describe(head, index, groups, timing), hasCaptions }
  } finally {
    await input.close()
    await output.close()
  }
}

/** FFmpeg ends well when nothing came of a track. */
export class EmptyTrack extends JobError {
  constructor() {
    super('output_invalid', 'Nothing was encoded of a track.')
  }
}

export type File = Awaited<ReturnType<typeof open>>

/** The head, and the boxes behind it. */
export async function readBoxes(file: File) {
  const { size } = await file.stat()
  const boxes: { type: string; offset: number; sizeBytes: number }[] = []
  const beginning = new Uint8Array(16)
  for (let offset = 0; offset + 8 <= size; ) {
    await file.read(beginning, 0, beginning.length, offset)
    const head = readHead(beginning, 0)
    if (head === null || head.sizeBytes < 8) throw new Error(`the file has no box at ${offset}`)
    boxes.push({ type: head.type, offset, sizeBytes: head.sizeBytes })
    offset += head.sizeBytes
  }
  const first = boxes.findIndex(({ type }) => type === 'moof')
  const end = boxes[first]?.offset
  if (end === undefined) throw new EmptyTrack()
  const bytes = new Uint8Array(end)
  await file.read(bytes, 0, end, 0)
  const kept = childBoxes(bytes).filter(({ type }) => type === 'ftyp' || type === 'moov')
  const parts = kept.map(({ offset, sizeBytes }) => bytes.subarray(offset, offset + sizeBytes))
  return { head: new Uint8Array(Buffer.concat(parts)), boxes: boxes.slice(first) }
}

/** Fragments that make up a segment: as many as reach its length, the last with what is left. */
function grouped(fragments: Fragment[], length: number): Fragment[] {
  const groups: Fragment[] = []
  for (const { sizeBytes, duration, sampleCount } of fragments) {
    const last = groups.at(-1)
    // A sample's breadth less counts: sound does not cut at whole seconds.
    if (last === undefined || last.duration > 0.98 * length) {
      groups.push({ sizeBytes, duration, sampleCount })
    } else {
      last.sizeBytes += sizeBytes
      last.duration += duration
      last.sampleCount += sampleCount
    }
  }
  return groups
}

/** A segment index box (8.16.3): players of DASH find the segments by it. */
function segmentIndex(groups: Fragment[], timescale: number): Uint8Array {
  const bytes = new Uint8Array(32 + 12 * groups.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length)
  bytes.set(new TextEncoder().encode('sidx'), 4)
  view.setUint32(12, 1) // the track's number
  view.setUint32(16, timescale)
  view.setUint16(30, groups.length)
  for (const [index, { sizeBytes, duration }] of groups.entries()) {
    const at = 32 + 12 * index
    view.setUint32(at, sizeBytes)
    view.setUint32(at + 4, duration)
    view.setUint32(at + 8, 0x9000_0000) // it begins with a picture that needs no other (SAP type 1)
  }
  return bytes
}

function describe(
  head: Uint8Array,
  index: Uint8Array,
  groups: Fragment[],
  { timescale }: Timing,
): Omit<Track, 'hasCaptions'> {
  const indexEnd = head.length + index.length
  let offset = indexEnd
  const segments = groups.map(({ sizeBytes, duration }) => {
    const segment = { offset, sizeBytes, durationSeconds: duration / timescale }
    offset += sizeBytes
    return segment
  })
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0)
  const durationSeconds = sum(groups.map(({ duration }) => duration)) / timescale
  const bitsOf = (segment: Segment) => (8 * segment.sizeBytes) / segment.durationSeconds
  // A rest of a few frames is no burst: it counts together with the segment before it.
  const whole = segments.filter((segment) => segment.durationSeconds >= segmentSeconds / 2)
  const averageBitrate = Math.round((8 * sum(segments.map(({ sizeBytes }) => sizeBytes))) / durationSeconds)
  return {
    codecs: codecString(head),
    headRange: [0, head.length],
    indexRange: [head.length, indexEnd],
    segments,
    averageBitrate,
    peakBitrate: Math.max(averageBitrate, ...whole.map((segment) => Math.round(bitsOf(segment)))),
    durationSeconds,
    sampleCount: sum(groups.map(({ sampleCount }) => sampleCount)),
  }
}

/** @param onBytes sees what is copied, as it comes */
export async function copy(
  input: File,
  output: File,
  from: number,
  sizeBytes: number,
  onBytes: (bytes: Buffer) => void = () => undefined,
): Promise<void> {
  const buffer = Buffer.alloc(Math.min(sizeBytes, 4 * 1024 ** 2))
  for (let done = 0; done < sizeBytes; ) {
    const { bytesRead } = await input.read(buffer, 0, Math.min(buffer.length, sizeBytes - done), from + done)
    if (bytesRead === 0) throw new Error('the file ends within a fragment')
    onBytes(buffer.subarray(0, bytesRead))
    await output.write(buffer, 0, bytesRead)
    done += bytesRead
  }
}

/** A media playlist (RFC 8216) whose segments are ranges of the file beside it. */
export async function writePlaylist(
  path: string,
  file: string,
  { headRange, segments }: Track,
): Promise<void> {
  const longest = Math.max(...segments.map(({ durationSeconds }) => durationSeconds))
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.round(longest))}`,
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    `#EXT-X-MAP:URI="${file}",BYTERANGE="${headRange[1] - headRange[0]}@${headRange[0]}"`,
    ...segments.flatMap(({ offset, sizeBytes, durationSeconds }) => [
      `#EXTINF:${durationSeconds.toFixed(6)},`,
      `#EXT-X-BYTERANGE:${sizeBytes}@${offset}`,
      file,
    ]),
    '#EXT-X-ENDLIST',
  ]
  await writeFile(path, `${lines.join('\n')}\n`)
}

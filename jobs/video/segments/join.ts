/**
 * Puts the pieces of a track behind each other: fragments are copied as they are, only their numbers and times change
 * (ISO/IEC 14496-12: `mfhd` 8.8.5, `tfdt` 8.8.12). What makes a decoder stumble at a join is refused: another
 * configuration, another delay, a frame too many or too few.
 */
import { open } from 'node:fs/promises'
import { JobError } from '../../../core/job.ts'
import { type Box, childBoxes, findBox, viewOf } from '../boxes.ts'
import { measureFragment, timingOf } from '../fragments.ts'
import { copy, type File, readBoxes } from '../package.ts'

/** What must be the same in all pieces. */
interface Shape {
  timescale: number
  /** What the decoder is set up by, and the delay that the edit list takes back. */
  configuration: string
}

/** Pieces of one track, in order, into one file. */
export class TrackJoin {
  #output: File | undefined
  #shape: Shape | undefined
  #fragments = 0
  #duration = 0
  #frameCount = 0

  /** @param to where the track goes */
  constructor(private readonly to: string) {}

  get frameCount(): number {
    return this.#frameCount
  }

  /** @param piece as FFmpeg wrote it; @throws JobError output_invalid */
  async add(piece: string): Promise<void> {
    const input = await open(piece)
    try {
      const { head, boxes } = await readBoxes(input)
      const timing = timingOf(head)
      await this.#begin(head, { timescale: timing.timescale, configuration: configurationOf(head) })
      for (const [index, box] of boxes.entries()) {
        const data = boxes[index + 1]
        if (box.type !== 'moof' || data?.type !== 'mdat') continue
        const moof = new Uint8Array(box.sizeBytes)
        await input.read(moof, 0, moof.length, box.offset)
        const { duration, sampleCount } = measureFragment(moof, timing)
        place(moof, { number: ++this.#fragments, time: this.#duration })
        await this.#output?.write(moof)
        if (this.#output !== undefined) await copy(input, this.#output, data.offset, data.sizeBytes)
        this.#duration += duration
        this.#frameCount += sampleCount
      }
    } finally {
      await input.close()
    }
  }

  async close(): Promise<void> {
    await this.#output?.close()
    this.#output = undefined
  }

  async #begin(head: Uint8Array, shape: Shape): Promise<void> {
    if (this.#shape === undefined) {
      this.#shape = shape
      this.#output = await open(this.to, 'w')
      await this.#output.write(head)
      return
    }
    const { timescale, configuration } = this.#shape
    if (shape.timescale !== timescale || shape.configuration !== configuration) {
      throw new JobError('output_invalid', 'Two pieces of the video were not encoded alike.')
    }
  }
}

/** How many frames a piece has, and how long it is in seconds. */
export async function measurePiece(path: string): Promise<{ frameCount: number; durationSeconds: number }> {
  const input = await open(path)
  try {
    const { head, boxes } = await readBoxes(input)
    const timing = timingOf(head)
    let [frameCount, duration] = [0, 0]
    for (const box of boxes) {
      if (box.type !== 'moof') continue
      const moof = new Uint8Array(box.sizeBytes)
      await input.read(moof, 0, moof.length, box.offset)
      const measured = measureFragment(moof, timing)
      frameCount += measured.sampleCount
      duration += measured.duration
    }
    return { frameCount, durationSeconds: duration / timing.timescale }
  } finally {
    await input.close()
  }
}

function place(moof: Uint8Array, { number, time }: { number: number; time: number }): void {
  const view = viewOf(moof)
  const header = findBox(moof, 'moof/mfhd')
  const decodeTime = findBox(moof, 'moof/traf/tfdt')
  if (header === undefined || decodeTime === undefined)
    throw new Error('a fragment does not say where it belongs')
  view.setUint32(header.offset + header.headBytes + 4, number)
  const at = decodeTime.offset + decodeTime.headBytes
  if (moof[at] !== 1) throw new Error('the times of a fragment have 32 bits')
  view.setBigUint64(at + 4, BigInt(time))
}

/** Bytes of a sample entry of pictures before its boxes (ISO/IEC 14496-12, 12.1.3). */
const entryBytes = 78

/**
 * Without what differs between pieces that a decoder takes for one: how large they are (`btrt`), and what x265 notes of
 * the run that made them.
 */
function configurationOf(head: Uint8Array): string {
  const edits = findBox(head, 'moov/trak/edts')
  const description = findBox(head, 'moov/trak/mdia/minf/stbl/stsd')
  if (description === undefined) throw new Error('the piece does not describe its samples')
  const from = description.offset + description.headBytes + 8
  const [entry] = childBoxes(head, from, description.offset + description.sizeBytes)
  if (entry === undefined) throw new Error('the piece describes no samples')
  const fieldsAt = entry.offset + entry.headBytes
  const boxes = childBoxes(head, fieldsAt + entryBytes, entry.offset + entry.sizeBytes)
  return [
    edits === undefined ? new Uint8Array() : contentOf(head, edits),
    Buffer.from(entry.type),
    head.subarray(fieldsAt, fieldsAt + entryBytes),
    ...boxes
      .filter(({ type }) => type !== 'btrt')
      .flatMap((box) => {
        const content = contentOf(head, box)
        return [Buffer.from(box.type), ...(box.type === 'hvcC' ? withoutNotes(content) : [content])]
      }),
  ]
    .map((bytes) => Buffer.from(bytes).toString('hex'))
    .join(' ')
}

function contentOf(bytes: Uint8Array, { offset, headBytes, sizeBytes }: Box): Uint8Array {
  return bytes.subarray(offset + headBytes, offset + sizeBytes)
}

/** SEI before and behind a picture, as types of units (ITU-T H.265, table 7-1). */
const noteTypes = [39, 40]

/** What HEVC is set up by: general fields, then arrays of units, each of one type (ISO/IEC 14496-15, 8.3.3.1.2). */
function withoutNotes(configuration: Uint8Array): Uint8Array[] {
  const view = viewOf(configuration)
  const kept = [configuration.subarray(0, 22)]
  let at = 23
  for (let arrays = view.getUint8(22); arrays > 0; arrays--) {
    const from = at
    let units = view.getUint16(at + 1)
    for (at += 3; units > 0; units--) at += 2 + view.getUint16(at)
    if (!noteTypes.includes(view.getUint8(from) & 0x3f)) kept.push(configuration.subarray(from, at))
  }
  return kept
}

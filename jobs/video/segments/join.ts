/**
 * Puts the pieces of a track behind each other: fragments are copied as they are, only their numbers and times change
 * (ISO/IEC 14496-12: `mfhd` 8.8.5, `tfdt` 8.8.12). What makes a decoder stumble at a join is refused: another
 * configuration, another delay, a frame too many or too few.
 */
import { open } from 'node:fs/promises'
import { JobError } from '../../../core/job.ts'
import { findBox, viewOf } from '../boxes.ts'
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

/** Without what tells of the bytes of a piece (`btrt`), which differs. */
function configurationOf(head: Uint8Array): string {
  const parts = ['moov/trak/edts', 'moov/trak/mdia/minf/stbl/stsd'].map((path) => {
    const box = findBox(head, path)
    return box === undefined ? new Uint8Array() : head.slice(box.offset, box.offset + box.sizeBytes)
  })
  return parts.map(withoutBitrates).join(' ')
}

function withoutBitrates(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1')
  const at = text.indexOf('btrt')
  return at === -1 ? text : text.slice(0, at) + text.slice(at + 16)
}

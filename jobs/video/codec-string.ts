/**
 * What a track is coded in, as players are told before they load it (RFC 6381), read from the decoder's configuration
 * in the head of the file: guesses from the encoder's settings are refused by players for being wrong.
 */
import { type Box, childBoxes, findBox, viewOf } from './boxes.ts'

/** Bytes of a sample entry before its boxes (ISO/IEC 14496-12, 12.1.3 and 12.2.3). */
const entryBytes = { picture: 78, sound: 28 }

/** @param head `ftyp` and `moov`; @throws Error for a codec that we don't encode */
export function codecString(head: Uint8Array): string {
  const description = findBox(head, 'moov/trak/mdia/minf/stbl/stsd')
  if (description === undefined) throw new Error('the file does not describe its samples')
  const from = description.offset + description.headBytes + 8
  const [entry] = childBoxes(head, from, description.offset + description.sizeBytes)
  if (entry === undefined) throw new Error('the file describes no samples')
  const isSound = entry.type === 'mp4a' || entry.type === 'Opus'
  const skipped = entry.headBytes + (isSound ? entryBytes.sound : entryBytes.picture)
  const boxes = childBoxes(head, entry.offset + skipped, entry.offset + entry.sizeBytes)
  const content = (type: string) => {
    const box = boxes.find((each) => each.type === type)
    if (box === undefined) throw new Error(`the file has no box "${type}"`)
    return contentOf(head, box)
  }
  switch (entry.type) {
    case 'avc1':
      return `avc1.${hex(content('avcC').subarray(1, 4))}`
    case 'hvc1':
      return hevc(content('hvcC'))
    case 'vp09':
      return vp9(content('vpcC'))
    case 'av01':
      return av1(content('av1C'))
    case 'mp4a':
      return `mp4a.40.${audioObjectType(content('esds'))}`
    case 'Opus':
      return 'opus'
    default:
      throw new Error(`tracks coded as "${entry.type}" have no name here`)
  }
}

/** ISO/IEC 14496-15, annex E.3. */
function hevc(configuration: Uint8Array): string {
  const view = viewOf(configuration)
  const first = view.getUint8(1)
  const space = ['', 'A', 'B', 'C'][first >> 6] ?? ''
  const tier = first & 0x20 ? 'H' : 'L'
  const compatibility = reversed(view.getUint32(2)).toString(16).toUpperCase()
  const constraints = [...configuration.subarray(6, 12)]
  while (constraints.at(-1) === 0) constraints.pop()
  const level = view.getUint8(12)
  return [
    `hvc1.${space}${first & 0x1f}`,
    compatibility,
    `${tier}${level}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join('.')
}

/** VP Codec ISO Media File Format Binding: profile, level, bits. */
function vp9(configuration: Uint8Array): string {
  const [, , , , profile = 0, level = 0, depth = 0] = configuration
  return `vp09.${two(profile)}.${two(level)}.${two(depth >> 4)}`
}

/** AV1 Codec ISO Media File Format Binding, 5. */
function av1(configuration: Uint8Array): string {
  const [, first = 0, second = 0] = configuration
  const depth = second & 0x40 ? (second & 0x20 ? 12 : 10) : 8
  return `av01.${first >> 5}.${two(first & 0x1f)}${second & 0x80 ? 'H' : 'M'}.${two(depth)}`
}

/** The first five bits of the decoder's own configuration (ISO/IEC 14496-3, 1.6.2.1): behind descriptor tag 5. */
function audioObjectType(descriptors: Uint8Array): number {
  // Of the elementary stream (tag 3), within it of the decoder (4), within it of the codec (5).
  let at = 4
  for (const [tag, fixedBytes] of [
    [3, 3],
    [4, 13],
    [5, 0],
  ] as const) {
    if (descriptors[at] !== tag) throw new Error('the sound is not described')
    at++
    while ((descriptors[at] ?? 0) & 0x80) at++
    at += 1 + fixedBytes
  }
  return (descriptors[at] ?? 0) >> 3
}

function contentOf(bytes: Uint8Array, { offset, headBytes, sizeBytes }: Box): Uint8Array {
  return bytes.subarray(offset + headBytes, offset + sizeBytes)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** Its 32 bits, last first. */
function reversed(value: number): number {
  let result = 0
  for (let bit = 0; bit < 32; bit++) result = (result << 1) | ((value >>> bit) & 1)
  return result >>> 0
}

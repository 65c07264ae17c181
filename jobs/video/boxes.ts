/** The boxes of an ISO base media file (ISO/IEC 14496-12): found, read, and built. */

export interface Box {
  type: string
  /** Of its first byte, from the beginning of what was searched. */
  offset: number
  sizeBytes: number
  /** Bytes from its beginning to its content. */
  headBytes: number
}

/** @param at where the head stands in `bytes`; @returns null when it is not whole */
export function readHead(bytes: Uint8Array, at: number): Omit<Box, 'offset'> | null {
  if (at + 8 > bytes.length) return null
  const view = viewOf(bytes)
  const size = view.getUint32(at)
  const type = new TextDecoder('latin1').decode(bytes.subarray(at + 4, at + 8))
  if (size !== 1) return { type, sizeBytes: size, headBytes: 8 }
  // Larger than 4 GiB: the size follows in 64 bits.
  return at + 16 > bytes.length ? null : { type, sizeBytes: Number(view.getBigUint64(at + 8)), headBytes: 16 }
}

/** Those between two places, one level deep. */
export function childBoxes(bytes: Uint8Array, from = 0, to = bytes.length): Box[] {
  const found: Box[] = []
  for (let offset = from; ; ) {
    const head = readHead(bytes, offset)
    if (head === null || head.sizeBytes < head.headBytes || offset + head.sizeBytes > to) return found
    found.push({ ...head, offset })
    offset += head.sizeBytes
  }
}

/** The first box at the end of a path of types, for example `moov/trak/mdia/mdhd`. */
export function findBox(bytes: Uint8Array, path: string, within?: Box): Box | undefined {
  let box = within
  for (const type of path.split('/')) {
    const from = box === undefined ? 0 : box.offset + box.headBytes
    const to = box === undefined ? bytes.length : box.offset + box.sizeBytes
    box = childBoxes(bytes, from, to).find((each) => each.type === type)
    if (box === undefined) return undefined
  }
  return box
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

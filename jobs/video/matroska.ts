/**
 * Matroska says how long the whole is, but not how long its last picture stands still. A file that was cut off says the
 * same. What tells them apart: of the other one, the elements, each as long as it says, fill the segment to its end.
 */
import { type FileHandle, open } from 'node:fs/promises'

const segmentId = 0x18538067
/** Of a segment: clusters of a second each for a whole day. Made to be many, they would be looked at for hours. */
const mostElements = 100_000

/** Whether all of it is there; of one that does not say where it ends nobody knows, and it counts as cut off. */
export async function isUnbroken(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const head = await elementAt(file, 0)
    const segment = head === null ? null : await elementAt(file, head.end)
    if (segment === null || segment.id !== segmentId) return false
    const { size } = await file.stat()
    let at = segment.start
    for (let count = 0; at < segment.end && count < mostElements; count++) {
      const element = await elementAt(file, at)
      if (element === null || element.end > size) return false
      at = element.end
    }
    return at === segment.end
  } finally {
    await file.close()
  }
}

/** @returns where its content starts and ends; null where there is none, or its size is unknown (RFC 8794, 4 to 6) */
async function elementAt(
  file: FileHandle,
  at: number,
): Promise<{ id: number; start: number; end: number } | null> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(12), 0, 12, at)
  const idBytes = widthOf(buffer[0])
  const sizeBytes = widthOf(buffer[idBytes])
  if (idBytes > 4 || sizeBytes > 8 || idBytes + sizeBytes > bytesRead) return null
  // Without the bit that tells its width; of more than 53 bits none ends within a file.
  const size = [...buffer.subarray(idBytes + 1, idBytes + sizeBytes)].reduce(
    (high, low) => 256 * high + low,
    buffer.readUInt8(idBytes) & (0xff >> sizeBytes),
  )
  if (size === 2 ** (7 * sizeBytes) - 1) return null
  const start = at + idBytes + sizeBytes
  return { id: buffer.readUIntBE(0, idBytes), start, end: start + size }
}

/** In bytes, by the zeros in front. */
function widthOf(first = 0): number {
  return Math.clz32(first) - 23
}

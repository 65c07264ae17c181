/**
 * How far a reader of the stream has come. Ids do not tell: an event may be committed after others with greater ids.
 * What a snapshot saw has been read; and while the reader is in the midst of what a second one saw beyond it, that up
 * to an id. Pure.
 */
import { emptySnapshot, parseSnapshot, type Snapshot, snapshotText } from './snapshot.ts'

export interface EventCursor {
  /** All of it was read. */
  seen: Snapshot
  /** Of what this saw, that up to the id was read. */
  partial?: { snapshot: Snapshot; upTo: bigint }
}

/** Nothing was read. */
export const beginning: EventCursor = { seen: emptySnapshot }

const maxLength = 16_384

/** @returns null when the text is not of a cursor */
export function parseCursor(text: string): EventCursor | null {
  if (text.length > maxLength) return null
  const [seenText = '', snapshotPart, upToText, ...more] = text.split('/')
  const seen = parseSnapshot(seenText)
  if (seen === null || more.length > 0) return null
  if (snapshotPart === undefined) return { seen }
  const snapshot = parseSnapshot(snapshotPart)
  if (snapshot === null || upToText === undefined || !/^\d{1,18}$/.test(upToText)) return null
  return { seen, partial: { snapshot, upTo: BigInt(upToText) } }
}

export function cursorText({ seen, partial }: EventCursor): string {
  const base = snapshotText(seen)
  return partial === undefined ? base : `${base}/${snapshotText(partial.snapshot)}/${partial.upTo}`
}

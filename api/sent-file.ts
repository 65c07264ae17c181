/** What clients say of a file: its name and its type. Both are kept and shown, neither is part of an object key. */
import { z } from 'zod'

export const fileNameLength = 255

export const mediaType = z
  .string()
  .regex(/^[\w.+-]{1,100}\/[\w.+-]{1,100}$/, 'expected a media type such as video/mp4')

/**
 * A name that comes along with something else, so that nobody chose its form: mended rather than refused.
 * @returns one that PostgreSQL can store, as text and in JSON; `video` where nothing is left of it
 */
export function mendedFileName(given: string): string {
  // Well-formed last: the cut may go through a character.
  const name = given
    .replace(/[\0/\\]/g, '')
    .slice(0, fileNameLength)
    .toWellFormed()
  return name || 'video'
}

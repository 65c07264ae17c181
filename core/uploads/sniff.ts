/**
 * Whether the beginning of a file can be that of a video, or of a picture. Of videos it only refuses what is surely something else; what
 * it lets through, ffprobe judges.
 */
import { fileTypeFromBuffer } from 'file-type'

/** How many bytes `whyNotVideo` wants to see; a shorter file is seen whole. */
export const sniffBytes = 4100

/** Containers that file-type does not file under `video/`: of Windows Media it only sees the stream that is listed first. */
const containers = new Set([
  'application/mxf',
  'application/vnd.rn-realmedia',
  'application/vnd.ms-asf',
  'audio/x-ms-asf',
])

const pictures = new Set(['image/png', 'image/jpeg', 'image/webp'])

/** Whether an upload of this content type is a picture: all others are taken for videos. */
export function isPictureType(contentType: string): boolean {
  return contentType.startsWith('image/')
}

/** @returns null when it is a picture that can be laid over a video, else a sentence that says why not */
export async function whyNotPicture(beginning: Uint8Array): Promise<string | null> {
  const type = await fileTypeFromBuffer(beginning)
  if (type !== undefined && pictures.has(type.mime)) return null
  return `The file is ${type?.mime ?? 'of an unknown type'}, not a picture in PNG, JPEG or WebP.`
}

/** @returns null when it may be a video, else a sentence that says what it is instead */
export async function whyNotVideo(beginning: Uint8Array): Promise<string | null> {
  if (beginning.length === 0) return 'The file is empty.'
  const type = await fileTypeFromBuffer(beginning)
  // Ogg is announced as audio or application before its tracks are known.
  if (type !== undefined) {
    const isVideo = type.mime.startsWith('video/') || type.mime.includes('ogg') || containers.has(type.mime)
    return isVideo ? null : `The file is ${type.mime}, not a video.`
  }
  return isText(beginning) ? 'The file is text, not a video.' : null
}

/** No control characters but white space, and valid UTF-8 but for a character cut off at the end. */
function isText(bytes: Uint8Array): boolean {
  const isControl = (byte: number) => byte < 0x20 && ![0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1b].includes(byte)
  if (bytes.some(isControl)) return false
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

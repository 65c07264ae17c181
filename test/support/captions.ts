/** Puts closed captions into H.264, as American broadcasts have them: FFmpeg makes none by itself. */

const startCode = Buffer.from([0, 0, 1])
/** Data of a user that is registered (ITU-T H.264, D.1.6), in the form of ATSC A/53 part 4, 6.2.3: two bytes for CC1. */
const message = Buffer.from([
  ...[...startCode, 0x06, 0x04, 14],
  ...[0xb5, 0x00, 0x31, ...Buffer.from('GA94'), 0x03],
  ...[0x41, 0xff, 0xfc, 0x94, 0x2c, 0xff, 0x80],
])

/** @param stream units behind start codes (annex B), each picture in one; @returns the same with a message before each */
export function withCaptions(stream: Buffer): Buffer {
  const units: Buffer[] = []
  for (let at = stream.indexOf(startCode); at >= 0; ) {
    const next = stream.indexOf(startCode, at + startCode.length)
    const unit = stream.subarray(at, next < 0 ? stream.length : next)
    const type = (unit[startCode.length] ?? 0) & 0x1f
    if (type === 1 || type === 5) units.push(message)
    units.push(unit)
    at = next
  }
  return Buffer.concat(units)
}

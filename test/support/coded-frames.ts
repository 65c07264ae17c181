/** Moving pictures that carry their number, as a row of black and white fields at the bottom: lost or repeated frames show. */
import { testFfmpeg } from './clips.ts'

const bits = 12

/** A source of FFmpeg's `lavfi`, 320 by 180. */
export function codedPicture({ seconds, rate = '30' }: { seconds: number; rate?: string }): string {
  const fields = Array.from({ length: bits }, (_, bit) => {
    const isSet = `mod(floor(n/${2 ** bit})\\,2)`
    return `drawbox=x=${24 * bit}:y=148:w=24:h=32:color=white:t=fill:enable='${isSet}'`
  })
  const strip = 'drawbox=x=0:y=148:w=320:h=32:color=black:t=fill'
  return [`testsrc2=size=320x180:rate=${rate}:duration=${seconds}`, strip, ...fields].join(',')
}

/** The numbers of all pictures of a file, in the order they are shown in. */
export async function numbersOf(path: string): Promise<number[]> {
  // One pixel of each field is left.
  const fields = `crop=iw*${24 * bits}/320:ih*16/180:0:ih*156/180,scale=${3 * bits}:1:flags=area`
  const bytes = await testFfmpeg([
    ...['-i', path, '-map', '0:v', '-vsync', '0', '-vf', `${fields},format=gray`],
    ...['-f', 'rawvideo', 'pipe:1'],
  ])
  const width = 3 * bits
  return Array.from({ length: bytes.length / width }, (_, frame) => {
    const lit = (bit: number) => (bytes[frame * width + 3 * bit + 1] ?? 0) > 127
    return Array.from({ length: bits }, (_, bit) => (lit(bit) ? 2 ** bit : 0)).reduce((a, b) => a + b, 0)
  })
}

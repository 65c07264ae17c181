/**
 * How many pictures of a video are damaged. FFmpeg conceals what it can't decode and ends well, so this is told from
 * what it says meanwhile (`-loglevel repeat+info` or more).
 */
import { JobError } from '../../core/job.ts'

/** Of all pictures; with more the result is not what anybody wants to see. */
const bearableShare = 0.1

/** One for each damaged picture: the decoders that conceal say the first, since FFmpeg 5 also the second. */
const concealed = /\bconcealing \d+ DC/
const corrupt = /corrupt decoded frame(?: in stream (\d+))?/
/** One for each packet of which nothing came. FFmpeg up to 5, and since 6. */
const undecoded =
  /Error while decoding stream #0:(\d+)|\[vist#0:(\d+)\/.*(?:Error submitting packet|Decoding error)/

export class DamageCounter {
  #concealed = 0
  #corrupt = 0
  #undecoded = 0

  constructor(private readonly videoStream: number) {}

  read(line: string): void {
    if (concealed.test(line)) this.#concealed++
    if (this.#isOfVideo(corrupt.exec(line))) this.#corrupt++
    if (this.#isOfVideo(undecoded.exec(line))) this.#undecoded++
  }

  get damagedFrames(): number {
    return Math.max(this.#concealed, this.#corrupt) + this.#undecoded
  }

  #isOfVideo(match: RegExpExecArray | null): boolean {
    if (match === null) return false
    const stream = match[1] ?? match[2]
    return stream === undefined || Number(stream) === this.videoStream
  }
}

/** @throws JobError invalid_media when more than a tenth of the pictures is damaged */
export function refuseDamaged({
  damagedFrames,
  frameCount,
}: {
  damagedFrames: number
  frameCount: number
}): void {
  if (damagedFrames <= bearableShare * frameCount) return
  const message = `The video is damaged: ${damagedFrames} of its ${frameCount} pictures can not be decoded whole.`
  throw new JobError('invalid_media', message, { retry: false, details: { damagedFrames, frameCount } })
}

/** Reads what FFmpeg writes with `-progress`: `key=value` lines, each block closed by `progress=continue|end`. */

export interface EncodeProgress {
  /** 0 to 99: the result is still to be checked and stored. */
  percent: number
  /** Frames encoded per second. */
  fps: number
  /** Seconds of video encoded per second. */
  speed: number
  /** Null while it can't be told. */
  etaSeconds: number | null
  [key: string]: number | null
}

export class ProgressParser {
  frameCount = 0
  #fps = 0
  #speed = 0
  #encodedSeconds = 0

  /** @param expectedFrames when they are known, progress is told by them: of a piece, FFmpeg tells the time amiss */
  constructor(
    private readonly durationSeconds: number,
    private readonly expectedFrames: number | null = null,
  ) {}

  /** @returns news when the line closes a block */
  read(line: string): EncodeProgress | null {
    const at = line.indexOf('=')
    const value = line.slice(at + 1).trim()
    switch (line.slice(0, at)) {
      case 'frame':
        this.frameCount = numberOr(value, this.frameCount)
        return null
      case 'fps':
        this.#fps = numberOr(value, this.#fps)
        return null
      case 'speed':
        this.#speed = numberOr(value, this.#speed)
        return null
      // Not out_time_ms: it counts microseconds, under a name that says otherwise.
      case 'out_time':
        this.#encodedSeconds = secondsOf(value) ?? this.#encodedSeconds
        return null
      case 'progress':
        return this.#progress()
      default:
        return null
    }
  }

  #progress(): EncodeProgress {
    if (this.expectedFrames !== null) return this.#progressByFrames(this.expectedFrames)
    const left = Math.max(0, this.durationSeconds - this.#encodedSeconds)
    const share = this.durationSeconds > 0 ? this.#encodedSeconds / this.durationSeconds : 0
    return {
      percent: Math.min(99, Math.round(1000 * share) / 10),
      fps: this.#fps,
      speed: this.#speed,
      etaSeconds: this.#speed > 0 && this.durationSeconds > 0 ? Math.round(left / this.#speed) : null,
    }
  }

  #progressByFrames(expected: number): EncodeProgress {
    const left = Math.max(0, expected - this.frameCount)
    return {
      percent: Math.min(99, Math.round((1000 * this.frameCount) / Math.max(1, expected)) / 10),
      fps: this.#fps,
      speed: this.#speed,
      etaSeconds: this.#fps > 0 ? Math.round(left / this.#fps) : null,
    }
  }
}

/** `00:01:02.500000`; FFmpeg writes N/A or a negative time before the first frame. */
export function secondsOf(text: string): number | null {
  const match = /^(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(text)
  if (match === null) return null
  const [, hours, minutes, seconds] = match
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

function numberOr(text: string, otherwise: number): number {
  const value = Number.parseFloat(text)
  return Number.isFinite(value) ? value : otherwise
}

/** Preloaded into a process: its clock goes wrong by so many seconds. */
const skewMs = Number(process.env.SKEW_SECONDS) * 1000
const now = Date.now.bind(Date)

globalThis.Date = class extends Date {
  constructor(...given: [] | [number | string | Date]) {
    if (given.length === 0) super(now() + skewMs)
    else super(...given)
  }
  static override now(): number {
    return now() + skewMs
  }
} as DateConstructor

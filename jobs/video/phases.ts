/** How far a whole encode is: its phases one after another, each with its share of the time. Never goes back. */
import { encodingPercent } from '../../core/encode/options.ts'

export type Phase = 'fetching' | 'preparing' | 'encoding' | 'packaging' | 'publishing'

/** Percent at the beginning of each; encoding is most of it. */
const beginsAt: Record<Phase, number> = {
  fetching: 0,
  preparing: 1,
  encoding: encodingPercent.from,
  packaging: encodingPercent.to,
  publishing: 96,
}
const endsAt: Record<Phase, number> = {
  fetching: 1,
  preparing: encodingPercent.from,
  encoding: encodingPercent.to,
  packaging: 96,
  publishing: 99,
}

export interface PhaseReport {
  percent: number
  phase: Phase | 'published'
  [key: string]: number | string | null
}

export class PhaseProgress {
  #percent = 0

  constructor(private readonly report: (progress: PhaseReport) => void) {}

  /** @param share of the phase that is done, 0 to 1 */
  at(phase: Phase, share: number, more: Record<string, number | null> = {}): void {
    const from = beginsAt[phase]
    const percent = from + Math.min(1, Math.max(0, share)) * (endsAt[phase] - from)
    this.#percent = Math.max(this.#percent, Math.round(10 * percent) / 10)
    this.report({ ...more, percent: this.#percent, phase })
  }

  done(): void {
    this.report({ percent: 100, phase: 'published' })
  }
}

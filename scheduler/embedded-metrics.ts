/**
 * What scaling and alarms go by, as a line of the log that CloudWatch makes metrics of: the Embedded Metric Format,
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
 * The scheduler needs no permission and no client for it, and elsewhere it is a line like the others.
 */
import type { Measures } from '../core/metrics/measure.ts'

type Metrics = Measures & {
  /** Slots that are wanted, in percent of those there are; 0 when there are none: that is no use of them. */
  slotUsePercent: number
}

const units: Record<keyof Metrics, 'Count' | 'Seconds' | 'Percent'> = {
  waitingJobs: 'Count',
  runningJobs: 'Count',
  wantedSlots: 'Count',
  oldestWaitingSeconds: 'Seconds',
  unservedJobs: 'Count',
  workers: 'Count',
  slots: 'Count',
  deadLetters: 'Count',
  slotUsePercent: 'Percent',
}

/** @param at milliseconds since 1970 */
export function embeddedMetrics(measures: Measures, { namespace, at }: { namespace: string; at: number }) {
  const { wantedSlots, slots } = measures
  const slotUsePercent = slots === 0 ? 0 : (100 * wantedSlots) / slots
  const definitions = Object.entries(units).map(([Name, Unit]) => ({ Name, Unit }))
  return {
    _aws: {
      Timestamp: at,
      // Without dimensions: they are of the whole fleet.
      CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [[]], Metrics: definitions }],
    },
    ...measures,
    slotUsePercent,
  }
}

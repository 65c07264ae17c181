/** The metrics that scheduler/embedded-metrics.ts writes. */
import { aws_cloudwatch as cloudwatch, Duration } from 'aws-cdk-lib'

type Name =
  | 'waitingJobs'
  | 'runningJobs'
  | 'oldestWaitingSeconds'
  | 'unservedJobs'
  | 'workers'
  | 'slots'
  | 'deadLetters'
  | 'slotUsePercent'

const minute = Duration.minutes(1)

export function metricOf(namespace: string, metricName: Name): cloudwatch.Metric {
  return new cloudwatch.Metric({ namespace, metricName, statistic: 'Maximum', period: minute })
}

/** Jobs that wait while there is no worker at all; else 0. */
export function jobsWithoutWorkers(namespace: string): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    expression: 'IF(workers < 1, waiting, 0)',
    usingMetrics: { workers: metricOf(namespace, 'workers'), waiting: metricOf(namespace, 'waitingJobs') },
    label: 'jobs without workers',
    period: minute,
  })
}

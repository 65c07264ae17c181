/** Alarms for what somebody must do something about, and one page that shows how it goes. */
import {
  Annotations,
  aws_cloudwatch_actions as actions,
  aws_cloudwatch as cloudwatch,
  Duration,
  aws_sns as sns,
  aws_sns_subscriptions as subscriptions,
} from 'aws-cdk-lib'
import { Construct } from 'constructs'
import type { Api } from './api.ts'
import { jobsWithoutWorkers, metricOf } from './metrics.ts'
import type { Place } from './program.ts'

const minute = Duration.minutes(1)
const oldestWaitingSeconds = 900
const errorPercent = 2
/** Of the capacity that the database may grow to. */
const databasePercent = 90

interface Wanted {
  metric: cloudwatch.IMetric
  threshold: number
  minutes: number
  says: string
  comparison?: cloudwatch.ComparisonOperator
  missing?: cloudwatch.TreatMissingData
}

export class Watch extends Construct {
  constructor(scope: Construct, id: string, { data, stage, namespace, api }: Place & { api: Api }) {
    super(scope, id)
    const topic = new sns.Topic(this, 'Alarms', { enforceSSL: true })
    if (stage.alarmEmail !== undefined)
      topic.addSubscription(new subscriptions.EmailSubscription(stage.alarmEmail))
    else if (stage.database.isKept)
      Annotations.of(this).addWarningV2(
        'job-server:nobodyIsTold',
        'Alarms of this stage reach nobody: set its alarmEmail in infra/stages.ts, or subscribe to the topic.',
      )

    // Of its URL: the function's own metric of errors has what broke it, not what it answered.
    const ofUrl = (name: string) => api.function.metric(name, { statistic: 'Sum', period: minute })
    const requests = ofUrl('UrlRequestCount')
    const errors = ofUrl('Url5xxCount')
    const errorRate = new cloudwatch.MathExpression({
      expression: '100 * errors / MAX([errors, requests])',
      usingMetrics: { errors, requests },
      label: 'failed requests, %',
      period: minute,
    })
    const acu = data.database.cluster.metricACUUtilization({ period: minute })
    const wanted: Record<string, Wanted> = {
      JobsWait: {
        metric: metricOf(namespace, 'oldestWaitingSeconds'),
        threshold: oldestWaitingSeconds,
        minutes: 5,
        says: 'A job has waited for a quarter of an hour: more workers are needed, or they are stuck.',
      },
      NoWorkers: {
        metric: jobsWithoutWorkers(namespace),
        threshold: 1,
        minutes: 10,
        says: 'Jobs wait, and no worker gives a sign of life.',
      },
      JobsUnserved: {
        metric: metricOf(namespace, 'unservedJobs'),
        threshold: 1,
        minutes: 15,
        says: 'Jobs wait for a definition or a queue that none of the workers has: their waitsFor says no_worker.',
      },
      SchedulerSilent: {
        metric: metricOf(namespace, 'slots').with({ statistic: 'SampleCount' }),
        threshold: 1,
        minutes: 5,
        comparison: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        missing: cloudwatch.TreatMissingData.BREACHING,
        says: 'The scheduler has not measured for five minutes: schedules do not fire, and nothing scales.',
      },
      DeadLetters: {
        metric: new cloudwatch.MathExpression({
          expression: 'DIFF(letters)',
          usingMetrics: { letters: metricOf(namespace, 'deadLetters').with({ period: Duration.minutes(5) }) },
          label: 'new dead letters',
          period: Duration.minutes(5),
        }),
        threshold: 10,
        minutes: 1,
        says: 'Ten jobs or more failed for good within five minutes.',
      },
      ApiFails: {
        metric: errorRate,
        threshold: errorPercent,
        minutes: 5,
        says: 'Requests are answered by 5xx: the log of the function says why.',
      },
      ApiThrottled: {
        metric: api.function.metricThrottles({ period: minute }),
        threshold: 1,
        minutes: 3,
        says: 'There are more requests at once than instances allowed.',
      },
      DatabaseFull: {
        metric: acu,
        threshold: databasePercent,
        minutes: 10,
        says: 'The database is near the capacity it may grow to.',
      },
    }
    for (const [name, { metric, threshold, minutes, says, comparison, missing }] of Object.entries(wanted)) {
      new cloudwatch.Alarm(this, name, {
        metric,
        threshold,
        evaluationPeriods: minutes,
        comparisonOperator: comparison ?? cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: missing ?? cloudwatch.TreatMissingData.NOT_BREACHING,
        alarmDescription: says,
      }).addAlarmAction(new actions.SnsAction(topic))
    }

    const graph = (title: string, ...left: cloudwatch.IMetric[]) =>
      new cloudwatch.GraphWidget({ title, left, width: 12, height: 6, leftYAxis: { min: 0 } })
    new cloudwatch.Dashboard(this, 'Dashboard', {
      defaultInterval: Duration.hours(6),
      widgets: [
        [
          graph('Jobs', metricOf(namespace, 'waitingJobs'), metricOf(namespace, 'runningJobs')),
          graph('Oldest waiting, seconds', metricOf(namespace, 'oldestWaitingSeconds')),
        ],
        [
          graph('Workers and slots', metricOf(namespace, 'workers'), metricOf(namespace, 'slots')),
          graph('Use of slots, %', metricOf(namespace, 'slotUsePercent')),
        ],
        [
          graph('Requests', requests, errors, api.function.metricThrottles({ period: minute })),
          graph('Duration, ms', api.function.metricDuration({ period: minute, statistic: 'p99' })),
        ],
        [
          graph('Database capacity used, %', acu),
          graph('Connections', data.database.cluster.metricDatabaseConnections({ period: minute })),
        ],
        [graph('Dead letters', metricOf(namespace, 'deadLetters'))],
      ],
    })
  }
}

/**
 * Workers on Fargate, some on demand and the others on Spot. They are scaled by what the scheduler measures once a
 * minute: by the use of their slots (up quickly, down after a quarter of an hour), by the age of the oldest waiting job
 * on top, and from nothing when there is a job and no worker. A task that must go has `stopTimeout` to end its jobs;
 * what can't end by then goes back to the queue, uncharged.
 */
import {
  type aws_cloudwatch as cloudwatch,
  Duration,
  aws_ecs as ecs,
  aws_applicationautoscaling as scaling,
} from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { jobsWithoutWorkers, metricOf } from './metrics.ts'
import { healthCheck, type Place, ProgramTask, serviceOptions, stopTimeout } from './program.ts'

/** What is left of `stopTimeout` for giving back what did not end. */
const givingBackSeconds = 15
const wantedSlotUsePercent = 80

export class Workers extends Construct {
  readonly service: ecs.FargateService

  constructor(scope: Construct, id: string, place: Place & { cluster: ecs.ICluster }) {
    super(scope, id)
    const { worker } = place.stage
    const task = new ProgramTask(this, 'Task', {
      ...place,
      target: 'worker',
      cpu: worker.cpu,
      memoryMb: worker.memoryMb,
      scratchGb: worker.scratchGb,
      healthCheck: healthCheck('worker'),
      environment: {
        MAX_CONCURRENT_EXECUTIONS: String(worker.slots),
        SHUTDOWN_GRACE_SECONDS: String(stopTimeout.toSeconds() - givingBackSeconds),
      },
    })
    task.addVolume({ name: 'scratch' })
    task.container.addMountPoints({ sourceVolume: 'scratch', containerPath: '/scratch', readOnly: false })
    place.data.storage.allowWorker(task.taskRole)
    this.service = new ecs.FargateService(this, 'Service', {
      ...serviceOptions(place),
      cluster: place.cluster,
      taskDefinition: task,
      // Old and new work side by side while one takes over from the other.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      capacityProviderStrategies: [
        { capacityProvider: 'FARGATE', base: worker.onDemandBase, weight: worker.onDemandWeight },
        { capacityProvider: 'FARGATE_SPOT', weight: worker.spotWeight },
      ].filter(({ weight, base = 0 }) => weight > 0 || base > 0),
    })
    this.#scale(place)
  }

  #scale({ namespace, stage: { worker } }: Place): void {
    const target = this.service.autoScaleTaskCount({
      minCapacity: worker.minTasks,
      maxCapacity: worker.maxTasks,
    })
    const metric = (name: Parameters<typeof metricOf>[1]): cloudwatch.IMetric => metricOf(namespace, name)
    target.scaleToTrackCustomMetric('SlotUse', {
      metric: metric('slotUsePercent'),
      targetValue: wantedSlotUsePercent,
      scaleOutCooldown: Duration.minutes(1),
      scaleInCooldown: Duration.minutes(5),
    })
    target.scaleOnMetric('OldestWaiting', {
      metric: metric('oldestWaitingSeconds'),
      adjustmentType: scaling.AdjustmentType.CHANGE_IN_CAPACITY,
      scalingSteps: [
        { upper: 120, change: 0 },
        { lower: 120, change: +1 },
        { lower: 600, change: +4 },
      ],
      evaluationPeriods: 1,
      cooldown: Duration.minutes(3),
    })
    // The use of no slots says nothing, so the way up from none is by the jobs themselves.
    target.scaleOnMetric('FromNone', {
      metric: jobsWithoutWorkers(namespace),
      adjustmentType: scaling.AdjustmentType.CHANGE_IN_CAPACITY,
      scalingSteps: [
        { upper: 1, change: 0 },
        { lower: 1, change: +1 },
      ],
      evaluationPeriods: 1,
      cooldown: Duration.minutes(3),
    })
  }
}

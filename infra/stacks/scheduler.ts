/** Fires schedules and does the upkeep: as a function each minute, or as a container that stays. */
import {
  type CfnElement,
  Duration,
  aws_ecs as ecs,
  Stack,
  aws_scheduler as schedules,
  aws_scheduler_targets as targets,
} from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import { healthCheck, type Place, ProgramFunction, ProgramTask, serviceOptions } from './program.ts'

const timeout = Duration.seconds(55)

export class Scheduler extends Construct {
  /** What must not change before the schema has. */
  readonly program: Construct

  constructor(scope: Construct, id: string, place: Place & { cluster: ecs.ICluster }) {
    super(scope, id)
    this.program = place.stage.scheduler === 'function' ? this.#function(place) : this.#container(place)
  }

  #function(place: Place): Construct {
    const tick = new ProgramFunction(this, 'Function', {
      ...place,
      bundle: place.bundles.scheduler,
      handler: 'index.handler',
      memoryMb: 512,
      timeout,
      environment: { METRICS_NAMESPACE: place.namespace },
    })
    place.data.storage.allowScheduler(tick)
    new schedules.Schedule(this, 'EachMinute', {
      schedule: schedules.ScheduleExpression.rate(Duration.minutes(1)),
      // The next call makes up for one that failed.
      target: new targets.LambdaInvoke(tick, { retryAttempts: 0 }),
    })
    const { logicalId } = tick.node.defaultChild as CfnElement
    acknowledge(this, {
      [`AwsSolutions-IAM5[Resource::<${Stack.of(this).resolve(logicalId)}.Arn>:*]`]:
        'The schedule may call this one function, in any version of it.',
    })
    return tick
  }

  #container(place: Place & { cluster: ecs.ICluster }): Construct {
    const task = new ProgramTask(this, 'Task', {
      ...place,
      target: 'scheduler',
      cpu: 256,
      memoryMb: 512,
      healthCheck: healthCheck('scheduler'),
      environment: { METRICS_NAMESPACE: place.namespace },
    })
    place.data.storage.allowScheduler(task.taskRole)
    // Two would do no harm: one of them leads.
    return new ecs.FargateService(this, 'Service', {
      ...serviceOptions(place),
      cluster: place.cluster,
      taskDefinition: task,
      desiredCount: 1,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
    })
  }
}

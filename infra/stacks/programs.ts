/**
 * The programs, which any deployment may replace. Order of one: the schema is brought up to date, and only when that
 * went well are function, workers and scheduler changed. So migrations must suit the version that still runs.
 */
import { Duration, aws_ecs as ecs, Stack, type StackProps, triggers } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { acknowledge } from './acknowledge.ts'
import { Api } from './api.ts'
import { type Place, ProgramFunction, ProgramTask } from './program.ts'
import { Scheduler } from './scheduler.ts'
import { Watch } from './watch.ts'
import { Workers } from './workers.ts'

const migrationTimeout = Duration.minutes(15)

export class ProgramStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    { data, stage, namespace, bundles, ...props }: StackProps & Place,
  ) {
    super(scope, id, props)
    const cluster = new ecs.Cluster(this, 'Cluster', {
      vpc: data.network.vpc,
      enableFargateCapacityProviders: true,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
    })
    const place = { data, stage, namespace, bundles, cluster }
    const migrate = new ProgramFunction(this, 'MigrateFunction', {
      ...place,
      bundle: bundles.migrate,
      handler: 'migrate/index.handler',
      memoryMb: 512,
      timeout: migrationTimeout,
    })
    const api = new Api(this, 'Api', place)
    const workers = new Workers(this, 'Workers', place)
    const scheduler = new Scheduler(this, 'Scheduler', place)
    new triggers.Trigger(this, 'Migrate', {
      handler: migrate,
      timeout: migrationTimeout,
      executeBefore: [api, workers, scheduler],
    })
    // Nothing runs it but who wants to make a key: `aws ecs run-task`, see infra/OPERATIONS.md.
    new ProgramTask(this, 'Commands', {
      ...place,
      target: 'api',
      cpu: 256,
      memoryMb: 512,
      command: ['bun', 'scripts/keys.ts', 'list'],
    })
    new Watch(this, 'Watch', { ...place, api })
    acknowledge(this, {
      'AwsSolutions-L1':
        'CDK chooses the runtime of the function that calls the migration; ours have the newest.',
    })
  }
}

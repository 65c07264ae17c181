/** What every program needs, as a function and as a container: its environment, its place, its log, its rights. */
import { fileURLToPath } from 'node:url'
import {
  aws_ecr_assets as assets,
  Duration,
  aws_ec2 as ec2,
  aws_ecs as ecs,
  aws_lambda as lambda,
  aws_logs as logs,
  RemovalPolicy,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { Stage } from '../stages.ts'
import { acknowledge } from './acknowledge.ts'
import type { DataStack } from './data.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const subnets = { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS }
/** The most that Fargate waits between SIGTERM and SIGKILL, and Spot between the warning and the end. */
export const stopTimeout = Duration.seconds(120)

export interface Place {
  data: DataStack
  stage: Stage
  /** Of the metrics. */
  namespace: string
  /** The directories that `bun run build:…` made. */
  bundles: { function: string; scheduler: string; migrate: string }
}

export interface FunctionOptions extends Place {
  bundle: string
  handler: string
  memoryMb: number
  timeout: Duration
  environment?: Record<string, string>
}

/** A function in the network that reaches the database through the proxy, as itself. */
export class ProgramFunction extends lambda.Function {
  constructor(scope: Construct, id: string, options: FunctionOptions & { instances?: number }) {
    const { data, stage } = options
    const logGroup = logGroupOf(scope, `${id}Log`, stage)
    super(scope, id, {
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      code: lambda.Code.fromAsset(options.bundle),
      handler: options.handler,
      memorySize: options.memoryMb,
      timeout: options.timeout,
      ...(options.instances === undefined ? {} : { reservedConcurrentExecutions: options.instances }),
      vpc: data.network.vpc,
      vpcSubnets: subnets,
      securityGroups: [data.network.functions],
      logGroup,
      environment: {
        DATABASE_URL: data.database.proxyUrl,
        DATABASE_AUTH: 'iam',
        ...storageEnvironment(data),
        ...stage.settings,
        ...options.environment,
      },
    })
    data.database.proxy.grantConnect(this, data.database.user)
    acknowledge(this, {
      [managedPolicy('AWSLambdaBasicExecutionRole')]: 'By it a function writes its log.',
      [managedPolicy('AWSLambdaVPCAccessExecutionRole')]: 'By it a function gets an address in the network.',
    })
  }
}

/** A container that stays, on a root file system that can't be written to. */
export class ProgramTask extends ecs.FargateTaskDefinition {
  readonly container: ecs.ContainerDefinition

  constructor(
    scope: Construct,
    id: string,
    options: Place & {
      target: 'worker' | 'scheduler' | 'api'
      cpu: number
      memoryMb: number
      scratchGb?: number
      command?: string[]
      healthCheck?: ecs.HealthCheck
      environment?: Record<string, string>
    },
  ) {
    const { data, stage, target } = options
    super(scope, id, {
      cpu: options.cpu,
      memoryLimitMiB: options.memoryMb,
      ...(options.scratchGb === undefined ? {} : { ephemeralStorageGiB: options.scratchGb }),
      runtimePlatform: {
        cpuArchitecture: ecs.CpuArchitecture.ARM64,
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
      },
    })
    this.container = this.addContainer(target, {
      image: ecs.ContainerImage.fromAsset(root, {
        file: 'infra/images/Dockerfile',
        target,
        platform: assets.Platform.LINUX_ARM64,
        exclude: [
          '*',
          '!package.json',
          '!bun.lock',
          '!bunfig.toml',
          '!bench/package.json',
          '!infra/images/Dockerfile',
          ...directories,
        ],
      }),
      ...(options.command === undefined ? {} : { command: options.command }),
      logging: ecs.LogDrivers.awsLogs({
        streamPrefix: target,
        logGroup: logGroupOf(this, 'Log', stage),
        mode: ecs.AwsLogDriverMode.NON_BLOCKING,
      }),
      readonlyRootFilesystem: true,
      stopTimeout,
      ...(options.healthCheck === undefined ? {} : { healthCheck: options.healthCheck }),
      environment: {
        DATABASE_URL: data.database.directUrl,
        ...storageEnvironment(data),
        ...stage.settings,
        ...options.environment,
      },
      // As the standard variables of PostgreSQL clients: the URL then holds no password.
      secrets: {
        PGUSER: ecs.Secret.fromSecretsManager(data.database.secret, 'username'),
        PGPASSWORD: ecs.Secret.fromSecretsManager(data.database.secret, 'password'),
      },
    })
    acknowledge(this, {
      'AwsSolutions-ECS2':
        'The variables are the configuration, without secrets; those come from Secrets Manager.',
    })
    acknowledge(this.obtainExecutionRole(), {
      'AwsSolutions-IAM5[Resource::*]':
        'To fetch an image one asks for a token of the registry, which is no resource.',
    })
  }
}

/** What the images are made of: others' changes make no new image. */
const directories = ['core', 'api', 'worker', 'scheduler', 'jobs', 'migrations', 'scripts', 'web'].flatMap(
  (name) => [`!${name}`, `!${name}/**`],
)

export function healthCheck(program: 'worker' | 'scheduler'): ecs.HealthCheck {
  return {
    command: ['CMD', 'bun', 'scripts/is-alive.ts', program],
    interval: Duration.seconds(30),
    timeout: Duration.seconds(10),
    startPeriod: Duration.seconds(60),
    retries: 3,
  }
}

export function serviceOptions({ data }: Place) {
  return {
    vpcSubnets: subnets,
    securityGroups: [data.network.programs],
    assignPublicIp: false,
    // A version whose tasks do not get well is taken back.
    circuitBreaker: { rollback: true },
    enableExecuteCommand: false,
  }
}

function managedPolicy(name: string): string {
  return `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/${name}]`
}

function storageEnvironment({ storage, region }: DataStack): Record<string, string> {
  return { S3_BUCKET: storage.bucket.bucketName, S3_REGION: region }
}

function logGroupOf(scope: Construct, id: string, { logDays }: Stage): logs.LogGroup {
  return new logs.LogGroup(scope, id, { retention: logDays, removalPolicy: RemovalPolicy.DESTROY })
}

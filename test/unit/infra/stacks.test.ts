/** What the templates promise, read from the templates: made offline, with the functions as they are deployed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { App, Stack, aws_s3 as s3, Validations } from 'aws-cdk-lib'
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions'
import { AwsSolutionsChecks } from 'cdk-nag'
import { afterAll, describe, expect, test } from 'vitest'
import { createApp } from '../../../infra/create-app.ts'
import { type Stage, stageOf, stages } from '../../../infra/stages.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const directory = await mkdtemp(join(tmpdir(), 'job-server-infra-'))
afterAll(() => rm(directory, { recursive: true, force: true }))

const bundles = {
  function: join(directory, 'function'),
  scheduler: join(directory, 'scheduler'),
  migrate: join(directory, 'migrate'),
}
await Promise.all(
  Object.entries(bundles).map(async ([name, target]) => {
    const build = Bun.spawn([process.execPath, 'scripts/build.ts', name, target], {
      cwd: root,
      stdout: 'ignore',
    })
    expect(await build.exited).toBe(0)
  }),
)

const prod = synthesise('prod', stageOf('prod'))
const dev = synthesise('dev', stageOf('dev'))

function synthesise(name: string, stage: Stage) {
  const { app, data, programs } = createApp({ name, stage, bundles, outdir: join(directory, `out-${name}`) })
  return {
    findings: findingsOf(app),
    isProtected: data.terminationProtection,
    data: Template.fromStack(data),
    programs: Template.fromStack(programs),
    warnings: Annotations.fromStack(programs)
      .findWarning('*', Match.anyValue())
      .map(({ entry }) => String(entry.data)),
  }
}

/** What the rules of AwsSolutions found that is not acknowledged; empty: nothing. */
function findingsOf(app: App): string {
  try {
    app.synth()
    return ''
  } catch (error) {
    return String(error)
  }
}

/** Properties of the resources of a type. */
function propertiesOf(template: Template, type: string) {
  return Object.values(template.findResources(type)).map(({ Properties }) => Properties)
}

describe('the rules of AwsSolutions', () => {
  test.each([
    ['prod', prod],
    ['dev', dev],
  ])('find nothing in %s that is not justified', (_, { findings }) => {
    expect(findings).toBe('')
  })

  test('would find something', () => {
    const app = new App({ outdir: join(directory, 'out-careless') })
    new s3.Bucket(new Stack(app, 'Careless'), 'Bucket')
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
    expect(findingsOf(app)).toMatch(/AwsSolutions-S1\b/)
  })
})

test.each([
  ['data', prod.data],
  ['programs', prod.programs],
])('the template of %s changes on purpose only', (_, template) => {
  // Hashes of code and images change with every line of it.
  const text = JSON.stringify(template.toJSON(), null, 1).replaceAll(/\b[0-9a-f]{64}\b/g, 'HASH')
  expect(text.replaceAll(/(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g, '$1')).toMatchSnapshot()
})

test('a stage that does not exist is named beside those that do', () => {
  expect(() => stageOf('production')).toThrow(/"production" is none of dev, prod/)
})

describe('storage', () => {
  test('no bucket can be public, all are encrypted, and none is read without TLS', () => {
    const buckets = propertiesOf(prod.data, 'AWS::S3::Bucket')
    expect(buckets).toHaveLength(2)
    for (const bucket of buckets) {
      expect(bucket).toMatchObject({
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        BucketEncryption: { ServerSideEncryptionConfiguration: [expect.anything()] },
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      })
    }
    const policies = propertiesOf(prod.data, 'AWS::S3::BucketPolicy')
    expect(policies).toHaveLength(2)
    for (const { PolicyDocument } of policies) {
      expect(PolicyDocument.Statement).toContainEqual(
        expect.objectContaining({
          Action: 's3:*',
          Effect: 'Deny',
          Principal: { AWS: '*' },
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        }),
      )
    }
  })

  test('uploads that were begun and forgotten go, later than their last link ends', () => {
    prod.data.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          Match.objectLike({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 8 }, Status: 'Enabled' }),
        ]),
      },
    })
  })

  test('where versions are kept, what was removed leaves the bucket all the same', () => {
    prod.data.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          Match.objectLike({
            NoncurrentVersionExpiration: { NoncurrentDays: 30 },
            ExpiredObjectDeleteMarker: true,
            Status: 'Enabled',
          }),
        ]),
      },
    })
  })

  test('sources and outputs stay in prod, and go after their days in dev', () => {
    dev.data.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          Match.objectLike({ Prefix: 'sources/', ExpirationInDays: 14 }),
          Match.objectLike({ Prefix: 'outputs/', ExpirationInDays: 14 }),
        ]),
      },
    })
    prod.data.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      Properties: { BucketName: Match.anyValue() },
    })
  })

  test('pages of function URLs in the region, as the dashboard is, and of named origins may put and get', () => {
    const functions = { 'Fn::Join': ['', ['https://*.lambda-url.', { Ref: 'AWS::Region' }, '.on.aws']] }
    dev.data.hasResourceProperties('AWS::S3::Bucket', {
      CorsConfiguration: {
        CorsRules: [
          Match.objectLike({
            AllowedOrigins: [functions, 'http://localhost:3000'],
            AllowedMethods: ['GET', 'HEAD', 'PUT'],
            ExposedHeaders: Match.arrayWith(['ETag']),
          }),
        ],
      },
    })
    const rules = propertiesOf(prod.data, 'AWS::S3::Bucket').flatMap(
      ({ CorsConfiguration }) => CorsConfiguration?.CorsRules ?? [],
    )
    expect(rules.map(({ AllowedOrigins }) => AllowedOrigins)).toEqual([[functions]])
  })
})

describe('network', () => {
  test('traffic to the storage does not pass a NAT gateway', () => {
    prod.data.hasResourceProperties('AWS::EC2::VPCEndpoint', {
      VpcEndpointType: 'Gateway',
      ServiceName: { 'Fn::Join': ['', ['com.amazonaws.', { Ref: 'AWS::Region' }, '.s3']] },
    })
  })

  test('nothing is let in from an address, and the database only by its clients', () => {
    for (const group of propertiesOf(prod.data, 'AWS::EC2::SecurityGroup')) {
      expect(group.SecurityGroupIngress).toBeUndefined()
    }
    const rules = propertiesOf(prod.data, 'AWS::EC2::SecurityGroupIngress')
    expect(rules).toHaveLength(3)
    for (const rule of rules) {
      expect(rule.CidrIp).toBeUndefined()
      expect(rule.IpProtocol).toBe('tcp')
      expect(JSON.stringify(rule.FromPort)).toMatch(/^5432$|"Endpoint\.Port"/)
      expect(rule.SourceSecurityGroupId).toBeDefined()
    }
  })

  test('the database and its proxy have no way out to the internet', () => {
    const open = propertiesOf(prod.data, 'AWS::EC2::SecurityGroup')
      .filter(({ SecurityGroupEgress = [] }) =>
        SecurityGroupEgress.some(
          (rule: { CidrIp: string; FromPort?: number }) => rule.CidrIp === '0.0.0.0/0',
        ),
      )
      .map(({ GroupDescription }) => GroupDescription)
    expect(open.toSorted()).toEqual(['functions', 'workers and schedulers'])
  })

  test('what the network refuses is logged', () => {
    prod.data.hasResourceProperties('AWS::EC2::FlowLog', { TrafficType: 'REJECT' })
  })
})

describe('database', () => {
  test('it is encrypted, kept, backed up, and speaks TLS alone', () => {
    prod.data.hasResource('AWS::RDS::DBCluster', {
      DeletionPolicy: 'Snapshot',
      Properties: {
        StorageEncrypted: true,
        DeletionProtection: true,
        BackupRetentionPeriod: 14,
        EnableIAMDatabaseAuthentication: true,
        ServerlessV2ScalingConfiguration: { MinCapacity: 1, MaxCapacity: 32 },
      },
    })
    prod.data.hasResourceProperties('AWS::RDS::DBClusterParameterGroup', {
      Parameters: { 'rds.force_ssl': '1', idle_in_transaction_session_timeout: '60000' },
    })
    prod.data.allResourcesProperties('AWS::RDS::DBInstance', { PubliclyAccessible: false })
  })

  test('prod has one more that can take over, dev has none and goes when its stack does', () => {
    prod.data.resourceCountIs('AWS::RDS::DBInstance', 2)
    dev.data.resourceCountIs('AWS::RDS::DBInstance', 1)
    dev.data.hasResourceProperties('AWS::RDS::DBCluster', {
      DeletionProtection: false,
      ServerlessV2ScalingConfiguration: { MinCapacity: 0.5, MaxCapacity: 4 },
    })
  })

  test('the proxy asks for TLS and a token of IAM', () => {
    prod.data.hasResourceProperties('AWS::RDS::DBProxy', {
      RequireTLS: true,
      Auth: [Match.objectLike({ IAMAuth: 'REQUIRED' })],
    })
  })

  test('what is to be kept can not be deleted by mistake', () => {
    expect(prod.isProtected).toBe(true)
    expect(dev.isProtected).toBe(false)
  })
})

describe('functions', () => {
  test('the API streams behind a function URL, on arm64, with a bound on its instances', () => {
    prod.programs.hasResourceProperties('AWS::Lambda::Url', {
      AuthType: 'NONE',
      InvokeMode: 'RESPONSE_STREAM',
    })
    prod.programs.hasResourceProperties('AWS::Lambda::Function', {
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      ReservedConcurrentExecutions: 200,
    })
  })

  test('anybody may call the URL, and the function by it alone', () => {
    const open = propertiesOf(prod.programs, 'AWS::Lambda::Permission').filter(
      ({ Principal }) => Principal === '*',
    )
    expect(open).toHaveLength(2)
    expect(open).toEqual([
      expect.objectContaining({ Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE' }),
      expect.objectContaining({ Action: 'lambda:InvokeFunction', InvokedViaFunctionUrl: true }),
    ])
  })

  test('no function of ours holds a password', () => {
    const ours = propertiesOf(prod.programs, 'AWS::Lambda::Function').filter(
      ({ Environment }) => Environment?.Variables.DATABASE_URL !== undefined,
    )
    expect(ours).toHaveLength(2)
    for (const { Environment } of ours) {
      expect(Environment.Variables).toMatchObject({ DATABASE_AUTH: 'iam' })
      const url = JSON.stringify(Environment.Variables.DATABASE_URL)
      expect(url).toContain('postgres://job_server@')
      expect(url).toContain('sslmode=verify-full')
      expect(JSON.stringify(Environment)).not.toMatch(/resolve:secretsmanager|PASSWORD/)
    }
  })
})

describe('order', () => {
  test('the schema is brought up to date before any program changes', () => {
    const migration = Object.keys(prod.programs.findResources('Custom::Trigger'))
    expect(migration).toHaveLength(1)
    const after = {
      ...prod.programs.findResources('AWS::ECS::Service'),
      ...prod.programs.findResources('AWS::Lambda::Function', {
        Properties: { ReservedConcurrentExecutions: 200 },
      }),
    }
    expect(Object.keys(after)).toHaveLength(3)
    for (const { DependsOn } of Object.values(after)) expect(DependsOn).toContain(migration[0])
    const tick = dev.programs.findResources('AWS::Lambda::Function', {
      Properties: { Environment: { Variables: { METRICS_NAMESPACE: 'JobServer/dev' } } },
    })
    expect(Object.values(tick).map(({ DependsOn }) => DependsOn)).toEqual([
      expect.arrayContaining(['Migrate']),
    ])
  })

  test('it is done again when the migrations change', () => {
    prod.programs.hasResourceProperties('Custom::Trigger', {
      HandlerArn: { Ref: Match.stringLikeRegexp('^MigrateFunctionCurrentVersion') },
      ExecuteOnHandlerChange: true,
    })
  })
})

describe('workers', () => {
  const tasks = propertiesOf(prod.programs, 'AWS::ECS::TaskDefinition').map(
    (task) => task.ContainerDefinitions[0],
  )
  const worker = tasks.find(({ Name }) => Name === 'worker')

  test('every container has a root file system that can not be written to', () => {
    expect(tasks.map(({ Name }) => Name).toSorted()).toEqual(['api', 'scheduler', 'worker'])
    for (const task of tasks) expect(task.ReadonlyRootFilesystem).toBe(true)
    expect(worker.MountPoints).toEqual([
      { ContainerPath: '/scratch', ReadOnly: false, SourceVolume: 'scratch' },
    ])
  })

  test('a worker ends by itself before it is killed', () => {
    expect(worker.StopTimeout).toBe(120)
    const grace = variable(worker, 'SHUTDOWN_GRACE_SECONDS')
    expect(Number(grace)).toBeGreaterThanOrEqual(60)
    expect(Number(grace)).toBeLessThanOrEqual(worker.StopTimeout - 10)
  })

  test('it is asked whether it hangs', () => {
    expect(worker.HealthCheck.Command).toEqual(['CMD', 'bun', 'scripts/is-alive.ts', 'worker'])
  })

  test('passwords come from the secret, not from the template', () => {
    for (const task of tasks) {
      expect(task.Secrets.map(({ Name }: { Name: string }) => Name)).toEqual(['PGUSER', 'PGPASSWORD'])
      expect(JSON.stringify(variable(task, 'DATABASE_URL'))).not.toContain('@')
    }
  })

  test('some are on demand in prod and the others on Spot; dev has Spot alone', () => {
    prod.programs.hasResourceProperties('AWS::ECS::Service', {
      CapacityProviderStrategy: [
        { CapacityProvider: 'FARGATE', Base: 2, Weight: 1 },
        { CapacityProvider: 'FARGATE_SPOT', Weight: 3 },
      ],
    })
    dev.programs.hasResourceProperties('AWS::ECS::Service', {
      CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE_SPOT', Weight: 1 }],
    })
  })

  test('a deployment keeps the number there is, and goes back when the new ones do not get well', () => {
    const [service] = Object.values(
      prod.programs.findResources('AWS::ECS::Service', { Properties: { LaunchType: Match.absent() } }),
    )
    expect(service?.Properties.DesiredCount).toBeUndefined()
    expect(service?.Properties.DeploymentConfiguration).toMatchObject({
      MinimumHealthyPercent: 100,
      MaximumPercent: 200,
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
    })
    expect(service?.Properties.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp).toBe('DISABLED')
  })

  test('they scale by the use of their slots, by age, and from none', () => {
    prod.programs.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: 2,
      MaxCapacity: 50,
    })
    dev.programs.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 0 })
    prod.programs.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      TargetTrackingScalingPolicyConfiguration: {
        CustomizedMetricSpecification: { Namespace: 'JobServer/prod', MetricName: 'slotUsePercent' },
        TargetValue: 80,
      },
    })
    prod.programs.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'oldestWaitingSeconds',
      Threshold: 120,
      AlarmActions: [{ Ref: Match.stringLikeRegexp('OldestWaitingUpperPolicy') }],
    })
    prod.programs.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Metrics: Match.arrayWith([Match.objectLike({ Expression: 'IF(workers < 1, waiting, 0)' })]),
      AlarmActions: [{ Ref: Match.stringLikeRegexp('FromNoneUpperPolicy') }],
    })
  })

  function variable(task: { Environment: { Name: string; Value: unknown }[] }, name: string): unknown {
    return task.Environment.find(({ Name }) => Name === name)?.Value
  }
})

describe('rights', () => {
  /** Actions on the bucket by the last part of the resource, of the role whose policy's name begins so. */
  function rightsOf(template: Template, policy: string): Record<string, string[]> {
    const [found] = Object.entries(template.findResources('AWS::IAM::Policy')).filter(([id]) =>
      id.startsWith(policy),
    )
    const rights: Record<string, string[]> = {}
    for (const { Action, Resource } of found?.[1].Properties.PolicyDocument.Statement ?? []) {
      for (const action of [Action].flat()) {
        for (const resource of [Resource].flat()) {
          const where = /(sources|outputs)\/\*"/.exec(JSON.stringify(resource))?.[1] ?? 'elsewhere'
          rights[where] = [...(rights[where] ?? []), action]
        }
      }
    }
    return rights
  }

  test('the API writes sources, and reads and removes outputs', () => {
    expect(rightsOf(prod.programs, 'ApiFunctionServiceRole')).toEqual({
      sources: [
        's3:GetObject',
        's3:PutObject',
        's3:AbortMultipartUpload',
        's3:ListMultipartUploadParts',
        's3:DeleteObject',
      ],
      outputs: ['s3:GetObject', 's3:DeleteObject'],
      elsewhere: ['rds-db:connect', 's3:ListBucket'],
    })
  })

  test('a worker reads sources, removes those that are no video, writes outputs, and has no other right at all', () => {
    expect(rightsOf(prod.programs, 'WorkersTaskTaskRole')).toEqual({
      sources: ['s3:GetObject', 's3:AbortMultipartUpload', 's3:DeleteObject'],
      outputs: [
        's3:GetObject',
        's3:PutObject',
        's3:AbortMultipartUpload',
        's3:ListMultipartUploadParts',
        's3:DeleteObject',
      ],
      elsewhere: ['s3:ListBucket'],
    })
  })

  test('the scheduler writes no object, as a container or as a function', () => {
    for (const [template, policy] of [
      [prod.programs, 'SchedulerTaskTaskRole'],
      [dev.programs, 'SchedulerFunctionServiceRole'],
    ] as const) {
      const { sources, outputs } = rightsOf(template, policy)
      expect([sources, outputs].flat()).toContain('s3:DeleteObject')
      expect([sources, outputs].flat()).not.toContain('s3:PutObject')
    }
  })

  test('the migration reaches the database and nothing else', () => {
    expect(rightsOf(prod.programs, 'MigrateFunction')).toEqual({ elsewhere: ['rds-db:connect'] })
  })
})

test.each(Object.entries(stages))(
  'the largest sources that %s takes fit into the scratch of all slots',
  (_, stage) => {
    const { worker, settings } = stage
    expect(worker.slots * Number(settings?.MAX_UPLOAD_BYTES) * 1.5).toBeLessThanOrEqual(
      worker.scratchGb * 2 ** 30,
    )
  },
)

describe('watch', () => {
  test('alarms reach a topic that takes nothing unencrypted', () => {
    const alarms = propertiesOf(prod.programs, 'AWS::CloudWatch::Alarm').filter(
      ({ AlarmDescription }) => !/scaling alarm/.test(AlarmDescription),
    )
    expect(alarms).toHaveLength(8)
    for (const { AlarmActions, AlarmDescription } of alarms) {
      expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^WatchAlarms/) }])
      expect(AlarmDescription.length).toBeGreaterThan(20)
    }
    prod.programs.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: {
        Statement: [
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ],
      },
    })
  })

  test('requests count as failed by what the function answers', () => {
    const alarm = propertiesOf(prod.programs, 'AWS::CloudWatch::Alarm').find(({ Metrics }) =>
      JSON.stringify(Metrics ?? '').includes('Url5xxCount'),
    )
    expect(JSON.stringify(alarm?.Metrics)).toContain('UrlRequestCount')
  })

  test('who is told by nobody hears so before a deployment', () => {
    const told = expect.stringContaining('alarmEmail')
    expect(prod.warnings).toEqual(expect.arrayContaining([told]))
    expect(dev.warnings).not.toEqual(expect.arrayContaining([told]))
  })

  test('a scheduler that says nothing is an alarm', () => {
    prod.programs.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'slots',
      Statistic: 'SampleCount',
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    })
  })

  test('logs are kept as long as the stage says', () => {
    for (const [name, { data, programs }] of [
      ['prod', prod],
      ['dev', dev],
    ] as const) {
      const groups = [data, programs].flatMap((template) => propertiesOf(template, 'AWS::Logs::LogGroup'))
      expect(groups.length).toBeGreaterThan(3)
      for (const { RetentionInDays } of groups) expect(RetentionInDays).toBe(stages[name]?.logDays)
    }
    prod.programs.resourceCountIs('AWS::CloudWatch::Dashboard', 1)
  })
})

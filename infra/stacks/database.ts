/**
 * Aurora Serverless v2 with a proxy. Functions come through the proxy with a token of IAM, so nothing of theirs holds a
 * password; workers and schedulers, few and long-lived, go to the writer with the password of the secret.
 */
import { Duration, aws_ec2 as ec2, RemovalPolicy, aws_rds as rds } from 'aws-cdk-lib'
import { Construct } from 'constructs'
import type { Stage } from '../stages.ts'
import { acknowledge } from './acknowledge.ts'
import type { Network } from './network.ts'
import { postgresPort } from './network.ts'

const user = 'job_server'
const databaseName = 'job_server'

export class Database extends Construct {
  readonly cluster: rds.DatabaseCluster
  readonly proxy: rds.DatabaseProxy
  readonly secret
  readonly user = user

  constructor(scope: Construct, id: string, { network, stage }: { network: Network; stage: Stage }) {
    super(scope, id)
    const { minCapacity, maxCapacity, readers, backupDays, isKept } = stage.database
    const engine = rds.DatabaseClusterEngine.auroraPostgres({
      version: rds.AuroraPostgresEngineVersion.VER_17_7,
    })
    const instance = { enablePerformanceInsights: true, publiclyAccessible: false }
    this.cluster = new rds.DatabaseCluster(this, 'Cluster', {
      engine,
      parameterGroup: new rds.ParameterGroup(this, 'Parameters', {
        engine,
        parameters: {
          'rds.force_ssl': '1',
          // A transaction that somebody forgot holds back vacuum, and the queue gets slow.
          idle_in_transaction_session_timeout: '60000',
          log_lock_waits: '1',
        },
      }),
      credentials: rds.Credentials.fromGeneratedSecret(user),
      defaultDatabaseName: databaseName,
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [network.database],
      serverlessV2MinCapacity: minCapacity,
      serverlessV2MaxCapacity: maxCapacity,
      writer: rds.ClusterInstance.serverlessV2('Writer', instance),
      readers: Array.from({ length: readers }, (_, index) =>
        rds.ClusterInstance.serverlessV2(`Reader${index + 1}`, { ...instance, scaleWithWriter: true }),
      ),
      storageEncrypted: true,
      iamAuthentication: true,
      deletionProtection: isKept,
      removalPolicy: isKept ? RemovalPolicy.SNAPSHOT : RemovalPolicy.DESTROY,
      backup: { retention: Duration.days(backupDays) },
      copyTagsToSnapshot: true,
      cloudwatchLogsExports: ['postgresql'],
    })
    if (this.cluster.secret === undefined) throw new Error('the cluster has no secret')
    this.secret = this.cluster.secret
    this.proxy = this.cluster.addProxy('Proxy', {
      secrets: [this.secret],
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [network.proxy],
      iamAuth: true,
      requireTLS: true,
      // Part of them stays for workers and schedulers, which do not come this way.
      maxConnectionsPercent: 60,
      borrowTimeout: Duration.seconds(20),
    })

    acknowledge(this.cluster, {
      'AwsSolutions-SMG4':
        'Rotated by hand with the steps of infra/OPERATIONS.md: the workers and schedulers that hold the password must start anew with it.',
      'AwsSolutions-RDS11': 'Nobody but two security groups reaches the port, whatever its number.',
      ...(isKept
        ? {}
        : { 'AwsSolutions-RDS10': 'The data of this stage is not to be kept, says infra/stages.ts.' }),
    })
  }

  /** For the programs that stay. The user and the password come beside it, from the secret. */
  get directUrl(): string {
    return `postgres://${this.cluster.clusterEndpoint.hostname}:${postgresPort}/${databaseName}?sslmode=require`
  }

  /** For functions. Certificates of proxies are signed by a public authority, so they can be verified. */
  get proxyUrl(): string {
    return `postgres://${user}@${this.proxy.endpoint}:${postgresPort}/${databaseName}?sslmode=verify-full`
  }
}

/** The bucket of sources and outputs, and who may do what in it. Keys are those of core/storage/keys.ts. */
import { Aws, Duration, aws_iam as iam, RemovalPolicy, aws_s3 as s3 } from 'aws-cdk-lib'
import { Construct, type IConstruct } from 'constructs'
import type { Stage } from '../stages.ts'
import { acknowledge } from './acknowledge.ts'

/** Longer than the links of an upload can live. */
const incompleteUploadDays = 8
const accessLogDays = 90
const oldVersionDays = 30
/**
 * The dashboard stands at one of them, known only once the stack is there that needs this bucket. That others' match, too,
 * gives them nothing: all access is by links, and who holds a link needs no browser.
 */
const functionUrls = `https://*.lambda-url.${Aws.REGION}.on.aws`

export class Storage extends Construct {
  readonly bucket: s3.Bucket

  readonly #stageName: string
  readonly #name: string

  constructor(scope: Construct, id: string, { name, stage }: { name: string; stage: Stage }) {
    super(scope, id)
    const { isKept, sourceDays, outputDays } = stage.storage
    const both = {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy: isKept ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    }
    const accessLog = new s3.Bucket(this, 'AccessLog', {
      ...both,
      lifecycleRules: [{ expiration: Duration.days(accessLogDays) }],
    })
    // Known beforehand: rights to it can be read, and those who fail over to another region find theirs.
    this.#stageName = name
    this.#name = `job-server-${name}-${Aws.ACCOUNT_ID}-${Aws.REGION}`
    this.bucket = new s3.Bucket(this, 'Bucket', {
      ...both,
      bucketName: this.#name,
      serverAccessLogsBucket: accessLog,
      cors: [
        {
          allowedOrigins: [functionUrls, ...stage.api.origins],
          allowedMethods: [s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.PUT],
          allowedHeaders: ['*'],
          exposedHeaders: ['ETag', 'Content-Length', 'Content-Range', 'Accept-Ranges'],
          maxAge: 3600,
        },
      ],
      lifecycleRules: [
        {
          id: 'incomplete-uploads',
          abortIncompleteMultipartUploadAfter: Duration.days(incompleteUploadDays),
        },
        // Of a bucket whose versions are kept: what the programs remove must leave it some day.
        {
          id: 'old-versions',
          noncurrentVersionExpiration: Duration.days(oldVersionDays),
          expiredObjectDeleteMarker: true,
        },
        ...expiry('sources', sourceDays),
        ...expiry('outputs', outputDays),
      ],
    })
    acknowledge(accessLog, { 'AwsSolutions-S1': 'It is where access is logged to.' })
  }

  /** Takes sources in and hands outputs out. */
  allowApi(role: iam.IGrantable & IConstruct): void {
    this.#allow(
      role,
      [
        's3:GetObject',
        's3:PutObject',
        's3:AbortMultipartUpload',
        's3:ListMultipartUploadParts',
        's3:DeleteObject',
      ],
      ['sources/*'],
    )
    this.#allow(role, ['s3:GetObject', 's3:DeleteObject'], ['outputs/*'])
    this.#allowList(role)
  }

  /** Reads sources and earlier outputs, removes sources that are no video, writes outputs. Its jobs are given links, not this. */
  allowWorker(role: iam.IGrantable & IConstruct): void {
    this.#allow(role, ['s3:GetObject'], ['sources/*', 'outputs/*'])
    this.#allow(role, ['s3:AbortMultipartUpload', 's3:DeleteObject'], ['sources/*'])
    this.#allow(
      role,
      ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts', 's3:DeleteObject'],
      ['outputs/*'],
    )
    this.#allowList(role)
  }

  /** Removes what was abandoned. */
  allowScheduler(role: iam.IGrantable & IConstruct): void {
    this.#allow(
      role,
      ['s3:GetObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      ['sources/*', 'outputs/*'],
    )
    this.#allowList(role)
  }

  #allow(role: iam.IGrantable & IConstruct, actions: string[], prefixes: string[]): void {
    const arn = (partition: string, name: string, prefix: string) => `arn:${partition}:s3:::${name}/${prefix}`
    role.grantPrincipal.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions,
        resources: prefixes.map((prefix) => arn(Aws.PARTITION, this.#name, prefix)),
      }),
    )
    for (const prefix of prefixes) {
      // As the rule writes it.
      const shown = arn(
        '<AWS::Partition>',
        `job-server-${this.#stageName}-<AWS::AccountId>-<AWS::Region>`,
        prefix,
      )
      acknowledge(role, {
        [`AwsSolutions-IAM5[Resource::${shown}]`]:
          'Below one prefix of one bucket, where each upload and each attempt has keys of its own.',
      })
    }
  }

  /** Without it a missing object answers 403, and nobody could tell. */
  #allowList(role: iam.IGrantable & IConstruct): void {
    role.grantPrincipal.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: ['s3:ListBucket'], resources: [this.bucket.bucketArn] }),
    )
  }
}

function expiry(prefix: string, days: number | undefined): s3.LifecycleRule[] {
  if (days === undefined) return []
  return [{ id: `${prefix}-expire`, prefix: `${prefix}/`, expiration: Duration.days(days) }]
}

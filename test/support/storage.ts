/** A bucket of a test file's own. */
import { randomBytes } from 'node:crypto'
import { CreateBucketCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3'
import { inject } from 'vitest'
import { createStorage, openClient, type Storage, type StorageConfig } from '../../core/storage/client.ts'

export interface TestStorage {
  storage: Storage
  config: StorageConfig
  environment: Record<string, string>
  /** All object keys in the bucket. */
  keys(): Promise<string[]>
}

export async function testStorage(): Promise<TestStorage> {
  const { S3_ENDPOINT, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_FORCE_PATH_STYLE } = inject('backend')
  const S3_BUCKET = `test-${randomBytes(6).toString('hex')}`
  const config: StorageConfig = {
    S3_ENDPOINT,
    S3_PUBLIC_ENDPOINT: undefined,
    S3_REGION: 'us-east-1',
    S3_BUCKET,
    S3_ACCESS_KEY_ID,
    S3_SECRET_ACCESS_KEY,
    S3_FORCE_PATH_STYLE: true,
  }
  await openClient(config, S3_ENDPOINT).send(new CreateBucketCommand({ Bucket: S3_BUCKET }))
  const storage = createStorage(config)
  return {
    storage,
    config,
    environment: { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_FORCE_PATH_STYLE },
    keys: async () => (await Array.fromAsync(storage.list(''))).map(({ key }) => key),
  }
}

/** Pages of any origin may put and get, as README tells for a bucket of one's own. */
export async function allowPages({ config }: TestStorage): Promise<void> {
  const rule = {
    AllowedOrigins: ['*'],
    AllowedMethods: ['GET', 'HEAD', 'PUT'],
    AllowedHeaders: ['*'],
    ExposeHeaders: ['ETag'],
  }
  await openClient(config, config.S3_ENDPOINT).send(
    new PutBucketCorsCommand({ Bucket: config.S3_BUCKET, CORSConfiguration: { CORSRules: [rule] } }),
  )
}

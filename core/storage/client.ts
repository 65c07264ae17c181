/**
 * S3-compatible object storage: the few operations we need, bound to one bucket. Bytes are streamed, never held
 * whole. Links for clients name the public endpoint, links for jobs the one we use ourselves.
 */
import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import type { Config } from '../config.ts'
import { createMultipart, type MultipartStorage } from './multipart.ts'
import { abortedBy, type Patience, patience, type RequestOptions } from './patience.ts'
import { createPresigner, type Presigner } from './presign.ts'
import { type PutOptions, putStream } from './put-stream.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

interface StoredObject {
  sizeBytes: number
  contentType: string | null
}

interface OpenObject extends StoredObject {
  body: ReadableStream<Uint8Array>
  /** `bytes from-to/whole` when a range was asked for, else null. */
  contentRange: string | null
}

export interface Storage extends Presigner, MultipartStorage {
  /** Null when there is no such object. */
  head(key: string): Promise<StoredObject | null>
  /**
   * @param range an HTTP Range header, for example `bytes=0-1023`
   * @returns null when there is no such object, `unsatisfiable` when the range lies outside it
   */
  get(key: string, range?: string): Promise<OpenObject | 'unsatisfiable' | null>
  /** Uploads in parts of `partSizeBytes`, two of them in memory at a time; leaves nothing behind when it fails. */
  putStream(
    key: string,
    body: Readable,
    options: { contentType: string } & Pick<PutOptions, 'partSizeBytes' | 'onMultipart'>,
  ): Promise<void>
  /** Removing what is not there is no error. */
  remove(key: string, options?: RequestOptions): Promise<void>
  list(prefix: string, options?: RequestOptions): AsyncIterable<{ key: string; sizeBytes: number }>
  /** @throws when the bucket can't be reached */
  check(): Promise<void>
}

export type StorageConfig = Pick<
  Config,
  | 'S3_ENDPOINT'
  | 'S3_PUBLIC_ENDPOINT'
  | 'S3_REGION'
  | 'S3_BUCKET'
  | 'S3_ACCESS_KEY_ID'
  | 'S3_SECRET_ACCESS_KEY'
  | 'S3_FORCE_PATH_STYLE'
>

/** @param options.afterPart called when a part of a stream is stored */
export function createStorage(
  config: StorageConfig,
  { afterPart, ...waits }: { afterPart?: () => void } & Partial<Patience> = {},
): Storage {
  const client = openClient(config, config.S3_ENDPOINT, waits)
  // Whoever is sent the bytes of an object may rest for as long as they like, as players do.
  const reader = openClient(config, config.S3_ENDPOINT, { ...waits, idleSeconds: 0 })
  const publicClient = openClient(config, config.S3_PUBLIC_ENDPOINT ?? config.S3_ENDPOINT)
  const Bucket = config.S3_BUCKET
  return {
    ...createPresigner({ client: publicClient, job: client }, Bucket),
    ...createMultipart(client, Bucket),

    async head(key) {
      try {
        const object = await client.send(new HeadObjectCommand({ Bucket, Key: key }))
        return { sizeBytes: object.ContentLength ?? 0, contentType: object.ContentType ?? null }
      } catch (error) {
        if (statusOf(error) === 404) return null
        throw error
      }
    },

    async get(key, range) {
      try {
        const object = await reader.send(new GetObjectCommand({ Bucket, Key: key, Range: range }))
        if (object.Body === undefined) return null
        return {
          body: object.Body.transformToWebStream(),
          sizeBytes: object.ContentLength ?? 0,
          contentType: object.ContentType ?? null,
          contentRange: object.ContentRange ?? null,
        }
      } catch (error) {
        if (statusOf(error) === 404) return null
        if (statusOf(error) === 416) return 'unsatisfiable'
        throw error
      }
    },

    async putStream(key, body, { contentType, ...options }) {
      const target = { Bucket, Key: key, ContentType: contentType }
      await putStream(client, target, body, { ...options, afterPart })
    },

    async remove(key, { signal } = {}) {
      await client.send(new DeleteObjectCommand({ Bucket, Key: key }), abortedBy(signal))
    },

    async *list(prefix, { signal } = {}) {
      let ContinuationToken: string | undefined
      do {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken }),
          abortedBy(signal),
        )
        for (const { Key, Size } of page.Contents ?? []) {
          if (Key !== undefined) yield { key: Key, sizeBytes: Size ?? 0 }
        }
        ContinuationToken = page.NextContinuationToken
      } while (ContinuationToken !== undefined)
    },

    async check() {
      await client.send(new HeadBucketCommand({ Bucket }))
    },
  }
}

/** The client of an endpoint; `createStorage` is what the product works with. */
export function openClient(
  config: StorageConfig,
  endpoint: string | undefined,
  waits: Partial<Patience> = {},
): S3Client {
  const { answerSeconds, idleSeconds } = { ...patience, ...waits }
  const client = new S3Client({
    region: config.S3_REGION,
    requestHandler: {
      requestTimeout: answerSeconds * 1000,
      throwOnRequestTimeout: true,
      socketTimeout: idleSeconds * 1000,
    },
    forcePathStyle: config.S3_FORCE_PATH_STYLE,
    // Checksums beyond what an operation asks for are AWS's own; other servers answer them with errors.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Its one warning, to the console, is of streams that it does not send again; `putStream` does that itself.
    logger: silent,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(config.S3_ACCESS_KEY_ID === undefined || config.S3_SECRET_ACCESS_KEY === undefined
      ? {}
      : {
          credentials: {
            accessKeyId: config.S3_ACCESS_KEY_ID,
            secretAccessKey: config.S3_SECRET_ACCESS_KEY,
          },
        }),
  })
  if (config.S3_FORCE_PATH_STYLE) {
    // The SDK addresses the bucket itself as `/bucket/`, which servers in the style of s3rver verify as
    // `/bucket`: the signatures differ. Both name the same thing.
    client.middlewareStack.add(
      (next) => (args) => {
        const request = args.request as { path: string }
        if (request.path === `/${config.S3_BUCKET}/`) request.path = `/${config.S3_BUCKET}`
        return next(args)
      },
      { step: 'build', name: 'bucketWithoutTrailingSlash' },
    )
  }
  return client
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
}

/** Multipart uploads that clients fill by presigned links, part by part. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { abortedBy, type RequestOptions, untilIdle } from './patience.ts'

export interface StoredPart {
  /** From 1. */
  partNumber: number
  sizeBytes: number
  etag: string
}

export interface MultipartStorage {
  /** @returns the storage's id of the multipart upload */
  createMultipart(key: string, options: { contentType: string }): Promise<string>
  /** What has arrived, by part number; null when the storage knows no such multipart upload. */
  listParts(key: string, multipartId: string): Promise<StoredPart[] | null>
  completeMultipart(key: string, multipartId: string, parts: StoredPart[]): Promise<void>
  /** Removes the parts; one that is not there any more is no error. */
  abortMultipart(key: string, multipartId: string, options?: RequestOptions): Promise<void>
}

const mebibyte = 1024 ** 2
/** S3's own limit. */
const maxParts = 10_000

/** The least part size, in whole MiB and at least `atLeastBytes`, that carries `sizeBytes` in 10,000 parts. */
export function partSizeFor(sizeBytes: number, atLeastBytes: number): number {
  return Math.max(atLeastBytes, Math.ceil(sizeBytes / maxParts / mebibyte) * mebibyte)
}

export function createMultipart(client: S3Client, Bucket: string): MultipartStorage {
  return {
    async createMultipart(key, { contentType }) {
      const { UploadId } = await client.send(
        new CreateMultipartUploadCommand({ Bucket, Key: key, ContentType: contentType }),
      )
      if (UploadId === undefined) throw new Error('the storage gave no id for the multipart upload')
      return UploadId
    },

    async listParts(key, multipartId) {
      const parts: StoredPart[] = []
      let PartNumberMarker: string | undefined
      try {
        do {
          const page = await client.send(
            new ListPartsCommand({ Bucket, Key: key, UploadId: multipartId, PartNumberMarker }),
          )
          for (const { PartNumber, Size, ETag } of page.Parts ?? []) {
            if (PartNumber !== undefined && ETag !== undefined) {
              parts.push({ partNumber: PartNumber, sizeBytes: Size ?? 0, etag: ETag })
            }
          }
          PartNumberMarker = page.IsTruncated ? page.NextPartNumberMarker : undefined
        } while (PartNumberMarker !== undefined)
      } catch (error) {
        if (isGone(error)) return null
        throw error
      }
      return parts
    },

    async completeMultipart(key, multipartId, parts) {
      await client.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key: key,
          UploadId: multipartId,
          MultipartUpload: {
            Parts: parts.map(({ partNumber, etag }) => ({ PartNumber: partNumber, ETag: etag })),
          },
        }),
        untilIdle,
      )
    },

    async abortMultipart(key, multipartId, { signal } = {}) {
      try {
        await client.send(
          new AbortMultipartUploadCommand({ Bucket, Key: key, UploadId: multipartId }),
          abortedBy(signal),
        )
      } catch (error) {
        if (!isGone(error)) throw error
      }
    },
  }
}

function isGone(error: unknown): boolean {
  return error instanceof S3ServiceException && error.name === 'NoSuchUpload'
}

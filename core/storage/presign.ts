/** Presigned links (AWS Signature Version 4 in the query): rights to one operation on one object, for a time. */
import { GetObjectCommand, PutObjectCommand, type S3Client, UploadPartCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'

/** Who follows a link: a client from outside, or one of our jobs. */
export type Audience = 'client' | 'job'

export interface Presigner {
  /** @param options.filename what a browser saves the object as; without it the link plays rather than saves */
  presignGet(
    key: string,
    options: { expiresInSeconds: number; audience: Audience; filename?: string },
  ): Promise<string>
  /** Bound to method, key, content type and length: the store refuses anything else. */
  presignPut(
    key: string,
    options: { expiresInSeconds: number; audience: Audience; contentType: string; sizeBytes: number },
  ): Promise<string>
  /** Bound to the part and its length. `partNumber` is from 1. */
  presignPart(
    key: string,
    options: {
      expiresInSeconds: number
      audience: Audience
      multipartId: string
      partNumber: number
      sizeBytes: number
    },
  ): Promise<string>
}

const boundHeaders = new Set(['host', 'content-type', 'content-length'])
/** A part has no type of its own, and clients send none; the SDK would sign one that they can't know of. */
const boundPartHeaders = new Set(['host', 'content-length'])

export function createPresigner(clients: Record<Audience, S3Client>, Bucket: string): Presigner {
  return {
    async presignGet(key, { expiresInSeconds, audience, filename }) {
      const disposition =
        filename === undefined ? {} : { ResponseContentDisposition: contentDisposition(filename) }
      const command = new GetObjectCommand({ Bucket, Key: key, ...disposition })
      return await getSignedUrl(clients[audience], command, { expiresIn: expiresInSeconds })
    },

    async presignPut(key, { expiresInSeconds, audience, contentType, sizeBytes }) {
      const command = new PutObjectCommand({
        Bucket,
        Key: key,
        ContentType: contentType,
        ContentLength: sizeBytes,
      })
      return await getSignedUrl(clients[audience], command, {
        expiresIn: expiresInSeconds,
        signableHeaders: boundHeaders,
      })
    },

    async presignPart(key, { expiresInSeconds, audience, multipartId, partNumber, sizeBytes }) {
      const command = new UploadPartCommand({
        Bucket,
        Key: key,
        UploadId: multipartId,
        PartNumber: partNumber,
        ContentLength: sizeBytes,
      })
      return await getSignedUrl(clients[audience], command, {
        expiresIn: expiresInSeconds,
        signableHeaders: boundPartHeaders,
      })
    },
  }
}

/** RFC 6266: an ASCII form for old clients, and the whole name in UTF-8. */
export function contentDisposition(filename: string): string {
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

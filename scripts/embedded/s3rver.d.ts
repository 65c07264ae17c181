/** The part of @20minutes/s3rver that we use; the package has no types of its own. */
declare module '@20minutes/s3rver' {
  import type { AddressInfo } from 'node:net'
  import type { Readable } from 'node:stream'

  export interface S3rverOptions {
    address: string
    port: number
    silent: boolean
    directory: string
    vhostBuckets: boolean
    configureBuckets: { name: string; configs?: string[] }[]
  }

  export interface Context {
    method: string
    path: string
    query: Record<string, string | undefined>
    headers: Record<string, string | undefined>
    status: number
    body: unknown
    get(header: string): string
  }

  export default class S3rver {
    constructor(options: S3rverOptions)
    middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[]
    store: {
      getResourcePath(bucket: string, key: string | undefined, resource: string): string
      listObjects(
        bucket: string,
        options: { startAfter?: string; maxKeys?: number; prefix?: string; delimiter?: string },
      ): Promise<{ objects: { key: string }[]; commonPrefixes: string[]; isTruncated: boolean }>
      putContent(path: string, content: Buffer | Readable): Promise<[sizeBytes: number, md5: string]>
    }
    run(): Promise<AddressInfo>
    close(): Promise<void>
  }
}

declare module '@20minutes/s3rver/lib/models/error' {
  export default class S3Error extends Error {
    constructor(code: string, message: string, detail?: Record<string, string>)
    code: string
  }
}

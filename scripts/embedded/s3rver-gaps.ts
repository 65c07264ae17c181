/** What @20minutes/s3rver leaves out and our storage needs: fills it in, in front of the server's own routes. */
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type S3rver from '@20minutes/s3rver'
import type { Context } from '@20minutes/s3rver'
import S3Error from '@20minutes/s3rver/lib/models/error'

export function fillGaps(server: S3rver): void {
  writeWhole(server)
  encodeAsSigned()
  // Last before the routes: what it puts into the body still becomes XML on the way out.
  server.middleware.splice(-1, 0, async (context, next) => {
    requireSignature(context)
    const upload = multipartOf(server, context)
    if (upload === null) return await next()
    if (!(await exists(upload.directory))) {
      throw new S3Error('NoSuchUpload', 'The specified upload does not exist.')
    }
    await performMultipart(context, upload, next)
  })
}

/** The server serves requests without any signature; S3 does not, unless a bucket is public. */
function requireSignature({ method, headers, query }: Context): void {
  const signed = 'authorization' in headers || 'X-Amz-Algorithm' in query || 'Signature' in query
  if (!signed && method !== 'OPTIONS') throw new S3Error('AccessDenied', 'Access Denied')
}

/**
 * The server rebuilds the signed query with `encodeURIComponent`, which leaves five characters that Signature Version 4
 * encodes; a link with `filename*=UTF-8''…` in it would be refused. The process has no other use for the function.
 */
function encodeAsSigned(): void {
  const encode = globalThis.encodeURIComponent
  globalThis.encodeURIComponent = (value) =>
    encode(value).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** A body that breaks off must not replace an object, nor become one: it goes to a file beside it first. */
function writeWhole({ store }: S3rver): void {
  const putContent = store.putContent.bind(store)
  let turn = 0
  store.putContent = async (path, content) => {
    const partial = `${path}.${process.pid}-${++turn}`
    try {
      const written = await putContent(partial, content)
      if (isCutOff(content)) throw new S3Error('IncompleteBody', 'The body ended before its length.')
      await rename(partial, path)
      return written
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
  }
}

function isCutOff(content: Buffer | Readable): boolean {
  return 'complete' in content && content.complete === false
}

interface Multipart {
  bucket: string
  key: string
  uploadId: string
  /** Where the server keeps it: files `key`, `metadata`, and for each part `<n>` and `<n>.md5`. */
  directory: string
}

function multipartOf(server: S3rver, { path, query }: Context): Multipart | null {
  const { uploadId } = query
  if (uploadId === undefined) return null
  if (!/^[0-9a-f]+$/.test(uploadId)) throw new S3Error('NoSuchUpload', 'The specified upload does not exist.')
  const [bucket = '', ...key] = decodeURIComponent(path).slice(1).split('/')
  const directory = join(server.store.getResourcePath(bucket, undefined, 'uploads'), uploadId)
  return { bucket, key: key.join('/'), uploadId, directory }
}

/** The routes check signatures first and then refuse the two operations they do not have: that is our cue. */
async function performMultipart(context: Context, upload: Multipart, next: () => Promise<void>) {
  try {
    await next()
  } catch (error) {
    if (!(error instanceof S3Error) || error.code !== 'MethodNotAllowed') throw error
    if (context.method === 'DELETE') {
      await rm(upload.directory, { recursive: true })
      context.status = 204
    } else if (context.method === 'GET') {
      context.status = 200
      context.body = await listParts(upload)
    } else throw error
  }
}

async function listParts({ bucket, key, uploadId, directory }: Multipart) {
  const numbers = (await readdir(directory))
    .filter((name) => name.endsWith('.md5'))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b)
  const parts = numbers.map(async (number) => {
    const file = join(directory, String(number))
    const { size, mtime } = await stat(file)
    const md5 = await readFile(`${file}.md5`, 'utf8')
    return { PartNumber: number, LastModified: mtime.toISOString(), ETag: `"${md5}"`, Size: size }
  })
  return {
    ListPartsResult: {
      '@': { xmlns: 'http://s3.amazonaws.com/doc/2006-03-01/' },
      Bucket: bucket,
      Key: key,
      UploadId: uploadId,
      IsTruncated: false,
      Part: await Promise.all(parts),
    },
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

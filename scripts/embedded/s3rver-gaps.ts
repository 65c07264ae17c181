/** What @20minutes/s3rver leaves out and our storage needs: fills it in, in front of the server's own routes. */
import crypto from 'node:crypto'
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type S3rver from '@20minutes/s3rver'
import type { Context } from '@20minutes/s3rver'
import S3Error from '@20minutes/s3rver/lib/models/error'

export function fillGaps(server: S3rver): void {
  writeWhole(server)
  encodeAsSigned()
  cipherTokens()
  listInOrder(server)
  // Last before the routes: what it puts into the body still becomes XML on the way out.
  server.middleware.splice(-1, 0, async (context, next) => {
    requireSignature(context)
    const upload = multipartOf(server, context)
    if (upload === null) return await next()
    if (!(await exists(upload.directory))) {
      throw new S3Error('NoSuchUpload', 'The specified upload does not exist.')
    }
    const perform = context.method === 'PUT' ? () => receive(upload, next) : next
    await performMultipart(context, upload, perform)
  })
}

/** Parts that are coming in, by the directory of their upload. */
const receiving = new Map<string, Set<Promise<void>>>()
const lastPartsMs = 1000

async function receive({ directory }: Multipart, next: () => Promise<void>): Promise<void> {
  const part = next()
  const parts = receiving.get(directory) ?? new Set()
  receiving.set(directory, parts.add(part))
  try {
    await part
  } finally {
    parts.delete(part)
    if (parts.size === 0) receiving.delete(directory)
  }
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

/**
 * The server ciphers the token that a listing of more than 1,000 objects goes on with, by plain DES, which Bun does not
 * have. Triple DES with one key three times is the same.
 */
function cipherTokens(): void {
  const { createCipheriv, createDecipheriv } = crypto
  const threefold = (key: crypto.CipherKey) => Buffer.concat([key, key, key] as Buffer[])
  crypto.createCipheriv = ((algorithm: string, key: crypto.CipherKey, iv: crypto.BinaryLike) =>
    algorithm === 'des'
      ? createCipheriv('des-ede3-cbc', threefold(key), iv)
      : createCipheriv(algorithm, key, iv)) as typeof createCipheriv
  crypto.createDecipheriv = ((algorithm: string, key: crypto.CipherKey, iv: crypto.BinaryLike) =>
    algorithm === 'des'
      ? createDecipheriv('des-ede3-cbc', threefold(key), iv)
      : createDecipheriv(algorithm, key, iv)) as typeof createDecipheriv
}

/** The server takes names as the file system gives them, in any order; a page is what follows another in order. */
function listInOrder({ store }: S3rver): void {
  const listObjects = store.listObjects.bind(store)
  store.listObjects = async (bucket, options) => {
    const { startAfter = '', maxKeys = Number.POSITIVE_INFINITY } = options
    const all = await listObjects(bucket, { ...options, startAfter: '', maxKeys: Number.POSITIVE_INFINITY })
    const rest = all.objects.filter(({ key }) => key > startAfter).sort((a, b) => (a.key < b.key ? -1 : 1))
    return { ...all, objects: rest.slice(0, maxKeys), isTruncated: rest.length > maxKeys }
  }
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
      // One whose client just went away would be written afterwards, and stay.
      await Promise.race([Promise.allSettled(receiving.get(upload.directory) ?? []), sleep(lastPartsMs)])
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

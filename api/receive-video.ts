/**
 * Takes a video out of a multipart/form-data body (RFC 7578) and streams it into storage: neither memory nor
 * disk ever hold more than a few parts of it. When anything goes wrong nothing of it stays in storage.
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy, type BusboyFileStream, type BusboyHeaders } from '@fastify/busboy'
import { partSizeFor } from '../core/storage/multipart.ts'
import { beginReceiving, endReceiving, noteParts } from '../core/uploads/receive.ts'
import { rejectUpload } from '../core/uploads/reject.ts'
import type { Upload } from '../core/uploads/row.ts'
import { sniffBytes, whyNotVideo } from '../core/uploads/sniff.ts'
import type { AppDependencies } from './app.ts'
import { RequestProblem } from './problem.ts'
import { mediaType, mendedFileName } from './sent-file.ts'

const fieldName = 'video'
const partSizeBytes = 5 * 1024 ** 2
const maxFields = 50
const fieldSizeBytes = 64 * 1024
const formOverheadBytes = 1024 ** 2
/** What a file really is its bytes tell; a type that is none must not keep it out. */
const partType = mediaType.catch('application/octet-stream')

export interface ReceivedVideo {
  upload: Upload
  /** The other fields of the form. */
  fields: Record<string, string>
}

/** @throws RequestProblem malformed_body, video_missing, invalid_media, body_too_large, storage_unavailable */
export async function receiveVideo(
  request: Request,
  dependencies: Pick<AppDependencies, 'sql' | 'storage' | 'config'>,
): Promise<ReceivedVideo> {
  const { MAX_UPLOAD_BYTES: maxBytes } = dependencies.config
  const tooLarge = new RequestProblem('body_too_large', `A video may have ${maxBytes} bytes at most.`)
  if (Number(request.headers.get('content-length')) > maxBytes + formOverheadBytes) throw tooLarge
  if (request.body === null) throw new RequestProblem('malformed_body', 'The request has no body.')

  const form = openForm(request, maxBytes)
  const fields: Record<string, string> = {}
  let video: BusboyFileStream | undefined
  let storing: Promise<Upload> | undefined
  form.on('field', (name, value) => {
    fields[name] = value
  })
  // Bytes may come without a name, which the package's types don't know.
  form.on('file', (name, stream, filename: string | undefined, _encoding, type) => {
    // Errors of the stream arrive through whoever reads it; this keeps those of a skipped one from going astray.
    stream.on('error', () => {})
    if (name !== fieldName || storing !== undefined) {
      stream.resume()
      return
    }
    video = stream
    stream.on('limit', () => stream.destroy(tooLarge))
    const file = { filename: mendedFileName(filename ?? ''), contentType: partType.parse(type) }
    storing = store(stream, file, dependencies)
    storing.catch((error) => form.destroy(error))
  })
  try {
    // Bun's and Node's types of the web stream differ in name only.
    await pipeline(Readable.fromWeb(request.body as never), form)
  } catch (cause) {
    const broken = cause instanceof RequestProblem ? cause : notWhole(cause)
    video?.destroy(broken)
    await storing
    throw broken
  }
  if (storing === undefined) {
    throw new RequestProblem('video_missing', 'The form has no file in its field "video".', [
      { path: fieldName, message: 'expected a file' },
    ])
  }
  return { upload: await storing, fields }
}

function openForm(request: Request, maxBytes: number) {
  const headers = { 'content-type': request.headers.get('content-type') ?? '' } satisfies BusboyHeaders
  try {
    return new Busboy({
      headers,
      limits: { fields: maxFields, fieldSize: fieldSizeBytes, fileSize: maxBytes },
    })
  } catch (cause) {
    throw new RequestProblem('malformed_body', 'The Content-Type names no boundary.', [], { cause })
  }
}

async function store(
  stream: BusboyFileStream,
  file: { filename: string; contentType: string },
  { sql, storage, config }: Pick<AppDependencies, 'sql' | 'storage' | 'config'>,
): Promise<Upload> {
  const upload = await beginReceiving(sql, file)
  let sizeBytes = 0
  let bodyProblem: unknown
  async function* counted() {
    try {
      for await (const chunk of sniffed(stream)) {
        sizeBytes += chunk.length
        yield chunk
      }
    } catch (error) {
      bodyProblem = error
      throw error
    }
  }
  const sizeOfPart = partSizeFor(config.MAX_UPLOAD_BYTES, partSizeBytes)
  try {
    await storage.putStream(upload.objectKey, Readable.from(counted(), { objectMode: false }), {
      contentType: file.contentType,
      partSizeBytes: sizeOfPart,
      onMultipart: (multipartId) => noteParts(sql, upload.id, { multipartId, partSizeBytes: sizeOfPart }),
    })
    return await endReceiving(sql, upload.id, sizeBytes)
  } catch (cause) {
    const message =
      bodyProblem instanceof RequestProblem ? bodyProblem.message : 'The bytes did not arrive whole.'
    await rejectUpload(sql, storage, { id: upload.id }, message)
    if (bodyProblem instanceof RequestProblem) throw bodyProblem
    if (bodyProblem !== undefined) throw notWhole(bodyProblem)
    throw new RequestProblem('storage_unavailable', 'The video could not be stored.', [], { cause })
  }
}

function notWhole(cause: unknown): RequestProblem {
  return new RequestProblem('malformed_body', 'The form is not whole.', [], { cause })
}

/** The stream's chunks, once its beginning looks like a video. @throws RequestProblem invalid_media */
async function* sniffed(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let beginning: Buffer | null = Buffer.alloc(0)
  for await (const chunk of stream) {
    if (beginning === null) {
      yield chunk
      continue
    }
    beginning = Buffer.concat([beginning, chunk])
    if (beginning.length < sniffBytes) continue
    yield await requireVideo(beginning)
    beginning = null
  }
  if (beginning !== null) yield await requireVideo(beginning)
}

async function requireVideo(beginning: Buffer): Promise<Buffer> {
  const problem = await whyNotVideo(beginning)
  if (problem !== null)
    throw new RequestProblem('invalid_media', problem, [{ path: fieldName, message: problem }])
  return beginning
}

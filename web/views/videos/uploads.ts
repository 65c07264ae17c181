/**
 * Uploads that this page has under way: bytes go straight to the storage, by one link or part by part. They go on while
 * one looks at other views. A part that fails is sent again by a fresh link; one that was paused goes on with the parts
 * that have not arrived.
 */
import { useSyncExternalStore } from 'react'
import { ApiProblem, api, messageOf, read } from '../../api.ts'
import type { OpenedUpload } from '../../types.ts'
import { putBytes } from './put-bytes.ts'

const partsAtOnce = 3
const triesPerPart = 4
const firstWaitMs = 500

type UploadState = 'uploading' | 'paused' | 'checking' | 'done' | 'failed'

export interface ShownUpload {
  id: number
  name: string
  sizeBytes: number
  sentBytes: number
  state: UploadState
  problem: string | null
  /** Once it is encoded. */
  jobId: string | null
}

/** What is asked for of the video once it has arrived. */
export interface EncodeWish {
  preset: 'web' | 'streaming' | 'webm'
  quality?: '720p' | '1080p' | '4k'
}

interface Upload extends ShownUpload {
  file: File
  wish: EncodeWish
  uploadId: string | null
  abort: AbortController
  /** By part; the only one is 1. */
  sent: Map<number, number>
}

let uploads: Upload[] = []
let shown: ShownUpload[] = []
let lastId = 0
const listeners = new Set<() => void>()

export function useUploads(): ShownUpload[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => shown,
  )
}

export function startUpload(file: File, wish: EncodeWish): void {
  const upload: Upload = {
    id: ++lastId,
    name: file.name,
    sizeBytes: file.size,
    sentBytes: 0,
    state: 'uploading',
    problem: null,
    jobId: null,
    file,
    wish,
    uploadId: null,
    abort: new AbortController(),
    sent: new Map(),
  }
  uploads = [upload, ...uploads]
  announce()
  void run(upload)
}

export function pauseUpload(id: number): void {
  const upload = byId(id)
  if (upload?.state !== 'uploading') return
  change(upload, { state: 'paused' })
  upload.abort.abort()
}

/** After a pause or a failure. */
export function resumeUpload(id: number): void {
  const upload = byId(id)
  if (upload?.state !== 'paused' && upload?.state !== 'failed') return
  upload.abort = new AbortController()
  change(upload, { state: 'uploading', problem: null })
  void run(upload)
}

/** Gives it up, or takes one that is over off the list. */
export function dropUpload(id: number): void {
  const upload = byId(id)
  if (upload === undefined) return
  upload.abort.abort()
  uploads = uploads.filter((each) => each !== upload)
  announce()
  if (upload.uploadId !== null && upload.jobId === null) {
    // What nobody cancels expires by itself.
    read(api.v1.videos.uploads[':uploadId'].$delete({ param: { uploadId: upload.uploadId } })).catch(() => {})
  }
}

async function run(upload: Upload): Promise<void> {
  const { signal } = upload.abort
  try {
    const target = await open(upload)
    if (target !== null) await send(upload, target, signal)
    change(upload, { state: 'checking', sentBytes: upload.sizeBytes })
    const param = { uploadId: upload.uploadId ?? '' }
    await read(api.v1.videos.uploads[':uploadId'].complete.$post({ param }))
    const json = {
      uploadId: param.uploadId,
      ...upload.wish,
      // The player's strip of pictures.
      storyboard: true,
      idempotencyKey: `dashboard-${param.uploadId}`,
    }
    const { jobId } = await read(api.v1.videos.encode.$post({ json }))
    change(upload, { state: 'done', jobId })
  } catch (error) {
    if (!signal.aborted) change(upload, { state: 'failed', problem: messageOf(error) })
  }
}

/** @returns where what has not arrived goes; null when all of it has */
async function open(upload: Upload): Promise<OpenedUpload | null> {
  if (upload.uploadId === null) {
    const { name, size, type } = upload.file
    const json = { filename: name, sizeBytes: size, contentType: type === '' ? 'video/mp4' : type }
    const opened = await read(api.v1.videos.uploads.$post({ json }))
    upload.uploadId = opened.uploadId
    return opened
  }
  const param = { uploadId: upload.uploadId }
  const known = await read(api.v1.videos.uploads[':uploadId'].$get({ param }))
  if (known.status === 'completed') return null
  const arrived = known.parts?.filter(({ done }) => done) ?? []
  upload.sent = new Map(arrived.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]))
  count(upload)
  return await read(api.v1.videos.uploads[':uploadId'].resume.$post({ param }))
}

async function send(upload: Upload, target: OpenedUpload, signal: AbortSignal): Promise<void> {
  if ('url' in target) {
    const { url, headers } = target
    await putBytes(url, upload.file, { headers, signal, onSent: (bytes) => note(upload, 1, bytes) })
    return
  }
  // All parts but the last are of one size, which the first tells even where it has arrived already.
  const first = target.parts.find(({ partNumber }) => partNumber === 1)
  const partBytes = first?.sizeBytes ?? upload.sent.get(1) ?? 0
  const waiting = [...target.parts]
  const worker = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      await sendPart(upload, part, partBytes, signal)
    }
  }
  await Promise.all(Array.from({ length: partsAtOnce }, worker))
}

interface Part {
  partNumber: number
  sizeBytes: number
  url: string
}

async function sendPart(upload: Upload, part: Part, partBytes: number, signal: AbortSignal): Promise<void> {
  const { partNumber, sizeBytes } = part
  const from = (partNumber - 1) * partBytes
  const bytes = upload.file.slice(from, from + sizeBytes)
  let { url } = part
  for (let attempt = 1; ; attempt++) {
    try {
      await putBytes(url, bytes, { signal, onSent: (sent) => note(upload, partNumber, sent) })
      note(upload, partNumber, sizeBytes)
      return
    } catch (error) {
      note(upload, partNumber, 0)
      if (signal.aborted || attempt >= triesPerPart) throw error
      await new Promise((resolve) => setTimeout(resolve, firstWaitMs * 2 ** attempt))
      url = await freshLink(upload, partNumber)
    }
  }
}

/** The one before may have run out while the connection was gone. */
async function freshLink(upload: Upload, partNumber: number): Promise<string> {
  const param = { uploadId: upload.uploadId ?? '' }
  const target = await read(api.v1.videos.uploads[':uploadId'].resume.$post({ param }))
  const part = 'parts' in target ? target.parts.find((each) => each.partNumber === partNumber) : undefined
  if (part === undefined) throw new ApiProblem('The part can’t be sent any more.', null, 'part_gone')
  return part.url
}

function note(upload: Upload, partNumber: number, bytes: number): void {
  upload.sent.set(partNumber, bytes)
  count(upload)
}

function count(upload: Upload): void {
  const sentBytes = [...upload.sent.values()].reduce((sum, bytes) => sum + bytes, 0)
  change(upload, { sentBytes: Math.min(sentBytes, upload.sizeBytes) })
}

function byId(id: number): Upload | undefined {
  return uploads.find((upload) => upload.id === id)
}

function change(upload: Upload, changes: Partial<ShownUpload>): void {
  Object.assign(upload, changes)
  announce()
}

function announce(): void {
  shown = uploads.map(({ id, name, sizeBytes, sentBytes, state, problem, jobId }) => ({
    id,
    name,
    sizeBytes,
    sentBytes,
    state,
    problem,
    jobId,
  }))
  for (const listener of listeners) listener()
}

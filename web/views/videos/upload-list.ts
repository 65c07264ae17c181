/** The uploads of this page, and that what is shown of them is true. */
import { useSyncExternalStore } from 'react'
import type { EncodeWish, Sent } from './send-upload.ts'

/**
 *   uploading ⇄ paused                     interrupted: of a page that is gone. It goes on once the same file is
 *     │  ▲                                 chosen again, or by itself where all of it had arrived.
 *     │  └── failed
 *     ▼                                    over: nothing is awaited any more; it would have to be sent anew.
 *   checking ──► done
 */
type UploadState = 'uploading' | 'paused' | 'interrupted' | 'checking' | 'done' | 'failed' | 'over'

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

export interface Upload extends ShownUpload {
  /** Null until it is chosen again. */
  file: File | null
  /** Null until it is known. */
  fingerprint: string | null
  wish: EncodeWish
  uploadId: string | null
  abort: AbortController
  sent: Sent
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

export function allUploads(): readonly Upload[] {
  return uploads
}

export function countSent(upload: Upload): void {
  const sentBytes = [...upload.sent.values()].reduce((sum, part) => sum + part, 0)
  changeUpload(upload, { sentBytes: Math.min(sentBytes, upload.sizeBytes) })
}

export function addUpload(
  { name, sizeBytes, fingerprint, wish }: Pick<Upload, 'name' | 'sizeBytes' | 'fingerprint' | 'wish'>,
  state: UploadState,
): Upload {
  const upload: Upload = {
    id: ++lastId,
    name,
    sizeBytes,
    sentBytes: 0,
    state,
    problem: null,
    jobId: null,
    file: null,
    fingerprint,
    wish,
    uploadId: null,
    abort: new AbortController(),
    sent: new Map(),
  }
  uploads = [upload, ...uploads]
  announce()
  return upload
}

export function removeUploads(isGone: (upload: Upload) => boolean): void {
  uploads = uploads.filter((upload) => !isGone(upload))
  announce()
}

export function uploadOf(id: number): Upload | undefined {
  return uploads.find((upload) => upload.id === id)
}

export function changeUpload(upload: Upload, changes: Partial<ShownUpload>): void {
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

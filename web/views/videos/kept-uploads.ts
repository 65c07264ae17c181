/**
 * Uploads that are not over, written down in this browser: a page that was reloaded, or a browser that was closed, has
 * lost the file and nothing else, and goes on when it is chosen again.
 */
import type { EncodeWish } from './send-upload.ts'

const storageKey = 'job-server.uploads'

export interface KeptUpload {
  uploadId: string
  name: string
  sizeBytes: number
  /** By which the file is known again; see fingerprint.ts. */
  fingerprint: string
  wish: EncodeWish
}

export function keptUploads(): KeptUpload[] {
  try {
    const kept = JSON.parse(localStorage.getItem(storageKey) ?? '[]')
    return Array.isArray(kept) ? kept : []
  } catch {
    // Somebody else's writing: as if there were none.
    return []
  }
}

export function keepUpload(upload: KeptUpload): void {
  write([upload, ...keptUploads().filter(({ uploadId }) => uploadId !== upload.uploadId)])
}

export function forgetUpload(uploadId: string): void {
  write(keptUploads().filter((kept) => kept.uploadId !== uploadId))
}

function write(uploads: KeptUpload[]): void {
  try {
    if (uploads.length === 0) localStorage.removeItem(storageKey)
    else localStorage.setItem(storageKey, JSON.stringify(uploads))
  } catch {
    // Full, or switched off: the upload goes on all the same, only not beyond this page.
  }
}

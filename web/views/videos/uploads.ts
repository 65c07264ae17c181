/**
 * What is done with uploads: bytes go straight to the storage, also while one looks at other views, and after the page
 * was reloaded.
 */
import { ApiProblem, api, messageOf, read } from '../../api.ts'
import { bytes } from '../../ui/format.ts'
import { fingerprintOf } from './fingerprint.ts'
import { forgetUpload, type KeptUpload, keepUpload, keptUploads } from './kept-uploads.ts'
import { openOtherTabs } from './other-tabs.ts'
import {
  completeAndEncode,
  type EncodeWish,
  freshLinks,
  hasArrived,
  openUpload,
  readUpload,
  sendBytes,
  sentOf,
} from './send-upload.ts'
import {
  addUpload,
  allUploads,
  changeUpload,
  countSent,
  removeUploads,
  type Upload,
  uploadOf,
} from './upload-list.ts'

const otherTabs = openOtherTabs(
  () =>
    allUploads()
      .filter(isAtWork)
      .flatMap(({ uploadId }) => uploadId ?? []),
  (theirs) => {
    const isTheirs = ({ state, uploadId }: Upload) =>
      state === 'interrupted' && uploadId !== null && theirs.includes(uploadId)
    removeUploads(isTheirs)
  },
)

/** One that was interrupted goes on with it, else it is a new one. */
export async function takeFile(file: File, wish: EncodeWish): Promise<void> {
  const alike = allUploads().filter(
    ({ state, sizeBytes }) => state === 'interrupted' && sizeBytes === file.size,
  )
  const fingerprint = alike.length === 0 ? null : await fingerprintOf(file)
  const known = alike.find((upload) => upload.fingerprint === fingerprint)
  if (known !== undefined) return goOn(known, file)
  const upload = addUpload({ name: file.name, sizeBytes: file.size, fingerprint, wish }, 'uploading')
  upload.file = file
  void run(upload)
}

/** Goes on with one that was interrupted, if it is the same file. */
export async function continueUpload(id: number, file: File): Promise<void> {
  const upload = uploadOf(id)
  if (upload?.state !== 'interrupted') return
  const { name, sizeBytes } = upload
  if (file.size !== sizeBytes) {
    const problem = `“${file.name}” is another file: it has ${bytes(file.size)}, “${name}” has ${bytes(sizeBytes)}.`
    return changeUpload(upload, { problem })
  }
  if ((await fingerprintOf(file)) !== upload.fingerprint) {
    const problem = `“${file.name}” is not what “${name}” was, though it is as large.`
    return changeUpload(upload, { problem })
  }
  goOn(upload, file)
}

/** Lists what pages before this one did not end. */
export async function restoreUploads(): Promise<void> {
  if (keptUploads().every(isListed)) return
  const theirs = await otherTabs.ask()
  const found = keptUploads().filter((kept) => !isListed(kept) && !theirs.has(kept.uploadId))
  await Promise.all(
    found.map((kept) => look(Object.assign(addUpload(kept, 'interrupted'), { uploadId: kept.uploadId }))),
  )
}

function isListed({ uploadId }: KeptUpload): boolean {
  return allUploads().some((upload) => upload.uploadId === uploadId)
}

export function pauseUpload(id: number): void {
  const upload = uploadOf(id)
  if (upload?.state !== 'uploading') return
  changeUpload(upload, { state: 'paused' })
  upload.abort.abort()
}

/** After a pause or a failure. */
export function resumeUpload(id: number): void {
  const upload = uploadOf(id)
  if (upload?.state !== 'paused' && upload?.state !== 'failed') return
  upload.abort = new AbortController()
  changeUpload(upload, { state: 'uploading', problem: null })
  void run(upload)
}

/** Gives it up, or takes one that is over off the list. */
export function dropUpload(id: number): void {
  const upload = uploadOf(id)
  if (upload === undefined) return
  upload.abort.abort()
  removeUploads((each) => each === upload)
  const { uploadId, state } = upload
  if (uploadId === null || state === 'done' || state === 'over') return
  forgetUpload(uploadId)
  // What nobody cancels expires by itself.
  read(api.v1.videos.uploads[':uploadId'].$delete({ param: { uploadId } })).catch(() => {})
}

/** What has become of an upload whose page is gone. */
async function look(upload: Upload): Promise<void> {
  try {
    const known = await readUpload(upload.uploadId ?? '')
    if (known.status !== 'waiting' && known.status !== 'completed') {
      const problem =
        known.status === 'timed_out' ? 'Its time ran out before all of it had arrived.' : known.error
      end(upload, problem ?? 'It was given up.')
    } else if (hasArrived(known)) {
      changeUpload(upload, { state: 'uploading' })
      await run(upload)
    } else {
      upload.sent = sentOf(known)
      countSent(upload)
    }
  } catch (error) {
    fail(upload, error)
  }
}

function goOn(upload: Upload, file: File): void {
  upload.file = file
  upload.abort = new AbortController()
  if (upload.uploadId !== null) otherTabs.claim(upload.uploadId)
  changeUpload(upload, { state: 'uploading', problem: null })
  void run(upload)
}

async function run(upload: Upload): Promise<void> {
  const { signal } = upload.abort
  try {
    const uploadId = await send(upload, signal)
    changeUpload(upload, { state: 'checking', sentBytes: upload.sizeBytes })
    const jobId = await completeAndEncode(uploadId, upload.wish)
    forgetUpload(uploadId)
    changeUpload(upload, { state: 'done', jobId })
  } catch (error) {
    if (signal.aborted) return
    // Other parts are still being sent, and would be again by who tries again.
    upload.abort.abort()
    fail(upload, error)
  }
}

/** @returns the upload's id, when all of it has arrived */
async function send(upload: Upload, signal: AbortSignal): Promise<string> {
  const { file } = upload
  if (upload.uploadId !== null) {
    const known = await readUpload(upload.uploadId)
    upload.sent = sentOf(known)
    countSent(upload)
    if (file === null || hasArrived(known)) return upload.uploadId
  }
  if (file === null) throw new Error('a new upload without a file')
  const target = upload.uploadId === null ? await openUpload(file) : await freshLinks(upload.uploadId)
  const { uploadId } = target
  upload.uploadId = uploadId
  upload.fingerprint ??= await fingerprintOf(file)
  const { name, sizeBytes, fingerprint, wish } = upload
  // One that was dropped meanwhile must not come back with the next page.
  signal.throwIfAborted()
  keepUpload({ uploadId, name, sizeBytes, fingerprint, wish })
  const note = (part: number, sentBytes: number) => {
    upload.sent.set(part, sentBytes)
    countSent(upload)
  }
  await sendBytes(target, file, { sent: upload.sent, signal, note })
  return uploadId
}

/** The server knows of no such upload, or awaits nothing of it: going on would be refused each time. */
const finalCodes = ['upload_not_found', 'upload_not_usable', 'invalid_media', 'source_gone']

function fail(upload: Upload, error: unknown): void {
  const isFinal = error instanceof ApiProblem && finalCodes.includes(error.code)
  if (isFinal) end(upload, messageOf(error))
  else {
    // Without its file it can't be tried again, only chosen again.
    const state = upload.file === null ? 'interrupted' : 'failed'
    changeUpload(upload, { state, problem: messageOf(error) })
  }
}

function end(upload: Upload, problem: string): void {
  if (upload.uploadId !== null) forgetUpload(upload.uploadId)
  changeUpload(upload, { state: 'over', problem })
}

function isAtWork({ state }: Upload): boolean {
  return state === 'uploading' || state === 'paused' || state === 'checking' || state === 'failed'
}

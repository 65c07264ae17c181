/** What a client of the video routes does: send a video one way or the other, follow it, fetch the result. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { expect } from 'vitest'
import { z } from 'zod'
import type { TestJob, TestServer } from './server.ts'

const Opened = z.object({
  uploadId: z.string(),
  status: z.string(),
  method: z.literal('PUT'),
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  parts: z.array(z.object({ partNumber: z.int(), sizeBytes: z.int(), url: z.string() })).optional(),
})
export type Opened = z.output<typeof Opened>

const Status = z.looseObject({
  jobId: z.string(),
  status: z.string(),
  definitionKey: z.literal('encode.video'),
  progress: z.looseObject({ percent: z.number() }).nullish(),
  outputFilename: z.string().optional(),
  downloadUrl: z.string().optional(),
  source: z.looseObject({ container: z.string(), videoCodec: z.string() }).optional(),
  outputs: z
    .array(
      z.looseObject({
        ...{ kind: z.string(), name: z.string(), url: z.string() },
        ...{ sha256: z.string(), sizeBytes: z.int(), width: z.int().optional(), height: z.int().optional() },
      }),
    )
    .optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
})
export type VideoStatus = z.output<typeof Status>

const Problem = z.looseObject({
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  error: z.string(),
  details: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
})
export type Problem = z.output<typeof Problem>

/** Multipart, whole. */
export async function sendForm(server: TestServer, form: FormData): Promise<Response> {
  return await fetch(`${server.url}/v1/videos/encode`, { method: 'POST', body: form })
}

export async function formWith(path: string, fields: Record<string, string> = {}): Promise<FormData> {
  const form = new FormData()
  form.set('video', new File([await readFile(path)], basename(path)))
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  return form
}

export async function encodeByForm(
  server: TestServer,
  path: string,
  fields: Record<string, string> = {},
): Promise<TestJob> {
  return await accepted(server, await sendForm(server, await formWith(path, fields)))
}

/** By a presigned link, or presigned parts where the server asks for those. */
export async function encodeByLink(
  server: TestServer,
  path: string,
  settings: Record<string, unknown> = {},
): Promise<TestJob> {
  const { uploadId } = await uploadFile(server, path)
  return await accepted(server, await server.request('POST', '/v1/videos/encode', { uploadId, ...settings }))
}

/** Opened, sent and completed. */
export async function uploadFile(
  server: TestServer,
  path: string,
  contentType = 'video/mp4',
): Promise<{ uploadId: string }> {
  const bytes = Bun.file(path)
  const opened = await openUpload(server, { filename: basename(path), sizeBytes: bytes.size, contentType })
  await putAll(opened, bytes)
  const completed = await server.request('POST', `/v1/videos/uploads/${opened.uploadId}/complete`)
  expect(await completed.json()).toMatchObject({ status: 'completed' })
  return opened
}

export async function openUpload(
  server: TestServer,
  upload: { sizeBytes: number; filename?: string; contentType?: string; expiresInSeconds?: number },
): Promise<Opened> {
  const body = { filename: 'clip.mp4', contentType: 'video/mp4', ...upload }
  const response = await server.request('POST', '/v1/videos/uploads', body)
  expect(response.status).toBe(201)
  return Opened.parse(await response.json())
}

export async function putAll(opened: Opened, bytes: Blob): Promise<void> {
  if (opened.url !== undefined) await putWell(opened.url, bytes, opened.headers)
  let sent = 0
  for (const { url, sizeBytes } of opened.parts ?? []) {
    await putWell(url, bytes.slice(sent, sent + sizeBytes))
    sent += sizeBytes
  }
}

async function putWell(...request: Parameters<typeof put>): Promise<void> {
  const response = await put(...request)
  expect(response.status, await response.text()).toBe(200)
}

export async function put(url: string, body: Blob, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(url, { method: 'PUT', body, headers })
}

export async function statusOf(server: TestServer, job: TestJob): Promise<VideoStatus> {
  const response = await server.request('GET', `/v1/videos/${job.id}/status`)
  expect(response.status).toBe(200)
  return Status.parse(await response.json())
}

/** The refusal, which must be a problem of this status and code. */
export async function problemOf(response: Response, status: number, code: string): Promise<Problem> {
  const text = await response.text()
  expect(response.status, text).toBe(status)
  expect(response.headers.get('content-type')).toContain('application/problem+json')
  const problem = Problem.parse(JSON.parse(text))
  expect(problem).toMatchObject({ status, code, error: problem.detail })
  return problem
}

async function accepted(server: TestServer, response: Response): Promise<TestJob> {
  const answer = await response.json()
  expect(response.status, JSON.stringify(answer)).toBe(201)
  expect(answer).toMatchObject({ status: 'queued' })
  return server.job(answer.jobId)
}

/** What a request that came to nothing, or a job that did, may have left behind. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, S3ServiceException } from '@aws-sdk/client-s3'
import { inject } from 'vitest'
import { openClient } from '../../core/storage/client.ts'
import { processesNaming } from './processes.ts'
import type { TestServer } from './server.ts'
import type { TestStorage } from './storage.ts'

export interface Leftovers {
  objects: string[]
  /** Multipart uploads whose parts still take up room. */
  multiparts: string[]
  scratchDirectories: string[]
  tools: string[]
}

export const nothing: Leftovers = { objects: [], multiparts: [], scratchDirectories: [], tools: [] }

export async function leftovers(server: TestServer): Promise<Leftovers> {
  return {
    objects: await server.bucket.keys(),
    multiparts: await openMultiparts(server.bucket),
    scratchDirectories: await attemptDirectories(server),
    tools: (await toolsOf(server)).map(({ command }) => command),
  }
}

/** FFmpeg and ffprobe processes at work for the server. */
export async function toolsOf(server: TestServer) {
  return (await processesNaming(server.scratch)).filter(({ command }) => /^\S*ff(mpeg|probe) /.test(command))
}

async function attemptDirectories({ scratch }: TestServer): Promise<string[]> {
  const entries = await readdir(scratch, { recursive: true })
  // job-server-scratch/<process>/<attempt>
  return entries.filter((path) => /^job-server-scratch\/[^/]+\/[^/]+$/.test(path))
}

export async function openMultiparts({ config }: TestStorage): Promise<string[]> {
  const client = openClient(config, config.S3_ENDPOINT)
  try {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: config.S3_BUCKET }))
    return Uploads.map(({ Key }) => String(Key))
  } catch (error) {
    if (!(error instanceof S3ServiceException && error.name === 'NotImplemented')) throw error
    // The embedded server has no such operation; it keeps a directory for each.
    const directory = join(inject('backend').directory, 's3', config.S3_BUCKET, '._S3rver_uploads')
    return await readdir(directory).catch(() => [])
  }
}

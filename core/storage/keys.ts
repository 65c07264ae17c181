/** The layout of object keys: the only place that builds one. Clients' file names are never part of a key. */

/** Where the bytes of an upload, multipart or presigned, are kept. */
export function sourceKey(uploadId: string): string {
  return `sources/${uploadId}/source`
}

/** Everything any attempt of the job wrote. */
export function outputPrefix(jobId: string): string {
  return `outputs/${jobId}/`
}

/** Everything one attempt wrote; the lease epoch keeps attempts of the same job apart. */
export function attemptPrefix(jobId: string, leaseEpoch: string): string {
  return `${outputPrefix(jobId)}${leaseEpoch}/`
}

export function outputKey(jobId: string, leaseEpoch: string, name: string): string {
  return `${attemptPrefix(jobId, leaseEpoch)}${name}`
}

/** Whether it can be the key of a source or an output: nothing else in the bucket is a client's to name. */
export function isMediaKey(key: string): boolean {
  return /^(sources|outputs)(\/[A-Za-z0-9_-][\w.-]{0,200}){2,5}$/.test(key)
}

/** Ids of the uploads and of the jobs whose sources and outputs a text in JSON names, each once. */
export function ownersNamedIn(json: string): string[] {
  const named = json.matchAll(/"(?:sources|outputs)\/([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})\//g)
  return [...new Set(Array.from(named, ([, owner = '']) => owner))]
}

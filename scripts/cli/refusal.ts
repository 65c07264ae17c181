/** What a command says when the API refuses. */

export interface Problem {
  code?: string
  detail?: string
  details?: { path: string; message: string }[]
}

/** @param problem the body of the answer; null when it is none of the API's */
export function refusal(status: number, problem: Problem | null, isKeyGiven: boolean): string {
  // The API speaks of a header; the key comes from elsewhere here.
  if (status === 401 && !isKeyGiven) {
    return 'An API key is needed: give it in JOB_SERVER_API_KEY. `bun run keys create NAME` makes one.'
  }
  const detail = problem?.detail ?? `The API answered ${status}.`
  if (status === 401) return `${detail} It is the one in JOB_SERVER_API_KEY.`
  const details = (problem?.details ?? []).map(({ path, message }) => `${path}: ${message}`)
  // Of a malformed request the detail consists of them.
  return [detail, ...details.filter((each) => !detail.includes(each)).map((each) => `  ${each}`)].join('\n')
}

/** The key to show; an empty one is none. */
export function givenKey(): string | undefined {
  return process.env.JOB_SERVER_API_KEY || undefined
}

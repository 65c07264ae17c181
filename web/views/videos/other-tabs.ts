/** Tells the tabs of one browser which of them is at which upload, so that none offers what another one is sending. */

const answersWithinMs = 300

type Message = { kind: 'ask' } | { kind: 'mine'; uploadIds: string[] }

export interface OtherTabs {
  /** What the others are at. */
  ask(): Promise<ReadonlySet<string>>
  claim(uploadId: string): void
}

/**
 * @param mine what this tab is at
 * @param onClaim what another one is at: in answer to a question, or as it begins
 */
export function openOtherTabs(mine: () => string[], onClaim: (uploadIds: string[]) => void): OtherTabs {
  const channel = new BroadcastChannel('job-server.uploads')
  const post = (message: Message) => channel.postMessage(message)
  let claimed = new Set<string>()
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'ask') return post({ kind: 'mine', uploadIds: mine() })
    for (const uploadId of data.uploadIds) claimed.add(uploadId)
    onClaim(data.uploadIds)
  }
  return {
    ask: async () => {
      // Anew each time: a tab that was at one may be gone.
      claimed = new Set()
      post({ kind: 'ask' })
      await new Promise((resolve) => setTimeout(resolve, answersWithinMs))
      return claimed
    },
    claim: (uploadId) => post({ kind: 'mine', uploadIds: [uploadId] }),
  }
}

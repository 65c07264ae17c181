/** A queue that ours is measured against: how it is filled, and how its worker runs jobs that do nothing. */

export interface Peer {
  /** Who, and with which settings; they are what its own documentation advises for throughput. */
  label: string
  /** What it keeps its jobs in. */
  store: 'postgresql' | 'redis'
  /** Jobs of a round: a second's work or a few. */
  jobs: number
}

/** Only a process of their own loads their libraries. */
export const peers = {
  graphileWorkerBatching: {
    label: 'graphile-worker, 24 at once, local queue of 500, ends in batches',
    store: 'postgresql',
    jobs: 30_000,
  },
  graphileWorker: { label: 'graphile-worker, 24 at once', store: 'postgresql', jobs: 5_000 },
  pgBoss: { label: 'pg-boss, 2 workers, batches of 500', store: 'postgresql', jobs: 20_000 },
  bullmq: { label: 'BullMQ on Redis, 100 at once', store: 'redis', jobs: 30_000 },
  bullmqSandboxed: { label: 'BullMQ on Redis, sandboxed in 4 processes', store: 'redis', jobs: 3_000 },
  bullmqPostgres: { label: 'BullMQ on PostgreSQL, 100 at once', store: 'postgresql', jobs: 3_000 },
} satisfies Record<string, Peer>

export type PeerName = keyof typeof peers

export interface OpenPeer {
  /** By the call that is meant for many, a thousand at a time. @param payload comes to `onJob` */
  enqueue(count: number, payload?: PeerPayload): Promise<void>
  /** Jobs of higher priority that can't run, in as many lanes. */
  enqueueBlocked?(count: number, lanes: string[]): Promise<void>
  /** Starts a worker. @param onJob called by the code of each job, where that runs in this process */
  work(onJob: (payload: PeerPayload) => void): Promise<void>
  /**
   * Jobs not yet finished, blocked ones left out. Where counting costs the more the more there are, it ends beyond
   * `limit`.
   */
  left(limit: number): Promise<number>
  close(): Promise<void>
}

export interface PeerPayload {
  sentAtMs?: number
}

/** What a peer's process is told to do. */
export type PeerOrder = { peer: PeerName; url: string } & (
  | { measure: 'jobs'; jobs: number; blocked?: { jobs: number; lanes: string[] } }
  | { measure: 'enqueue'; jobs: number }
  | { measure: 'sustained'; seconds: number; backlog: number }
  | { measure: 'waits'; jobs: number; perCall: number; everyMs: number }
  /** Nothing of its own: it works until it is ended. */
  | { measure: 'idle' }
)

/** A queue that ours is measured against: how it is filled, and how its worker runs jobs that do nothing. */

export interface Peer {
  /** Who, and with which settings; they are what its own documentation advises for throughput. */
  label: string
  /** What it keeps its jobs in. */
  store: 'postgresql' | 'redis'
  /** Jobs of a round: a second's work or a few. */
  jobs: number
  open(url: string): Promise<OpenPeer>
}

export interface OpenPeer {
  /** By the call that is meant for many. */
  enqueue(count: number): Promise<void>
  /** One job by the call for one, for latencies; the payload comes to `onJob`. */
  enqueueOne?(payload: PeerPayload): Promise<void>
  /** Jobs of higher priority that can't run, in as many lanes. */
  enqueueBlocked?(count: number, lanes: string[]): Promise<void>
  /** Starts a worker. @param onJob called by the code of each job, where that runs in this process */
  work(onJob: (payload: PeerPayload) => void): Promise<void>
  /** Jobs not yet finished, blocked ones left out. */
  left(): Promise<number>
  close(): Promise<void>
}

export interface PeerPayload {
  sentAtMs?: number
}

/** What a peer's process is told to do. */
export type PeerOrder = { peer: PeerName; url: string } & (
  | { measure: 'jobs'; jobs: number; warmUp: number; blocked?: { jobs: number; lanes: string[] } }
  | { measure: 'enqueue'; jobs: number }
  | { measure: 'waits'; jobs: number; everyMs: number }
)

export type PeerName =
  | 'graphileWorker'
  | 'graphileWorkerBatching'
  | 'pgBoss'
  | 'bullmq'
  | 'bullmqSandboxed'
  | 'bullmqPostgres'

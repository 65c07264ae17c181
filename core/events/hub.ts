/**
 * Reads what is new in the stream once for all who follow it in this process, and hands it on. It looks every tenth of
 * a second while there is news and more and more seldom while there is none, down to twice a second; a hint over LISTEN
 * that there is work makes it look soon. Writers send nothing for its sake, so being followed costs them nothing. With
 * nobody following, it asks the database nothing and holds no connection.
 */
import type { Pool } from '../db.ts'
import type { Log } from '../log.ts'
import { workChannel } from '../queue/wake.ts'
import type { EventCursor } from './cursor.ts'
import { cursorOfNow, limitAfter, type PageLimit, readAllPage, type StreamItem } from './read.ts'
import type { Snapshot } from './snapshot.ts'

const busyMs = 100
const idleMs = 500
const mostItems = 1000
const lookBytes = 4 * 1024 ** 2
/** A transaction that was open for longer commits events that nobody is told of live; they stand in the record. */
const maxAgeSeconds = 86_400

export interface News {
  /** Ascending by id; none at most looks. */
  items: StreamItem[]
  /** What has been looked at, with these. */
  snapshot: Snapshot
  /** False: of what the snapshot sees, items with greater ids follow. */
  isLast: boolean
}

export interface Follower {
  /** Left out: all jobs. */
  jobId?: string
  logs: boolean
  tell(news: News): void
  /** The hub stops. */
  end(): void
}

export interface EventHubOptions {
  sql: Pool
  /** A connection for LISTEN alone. Left out: it looks without hints. */
  openListener?: () => Pool
  log: Log
}

/** From the first follower to the last. */
interface Session {
  cursor: EventCursor | undefined
  limit: PageLimit
  listener: Pool | undefined
  timer: NodeJS.Timeout | undefined
  waitMs: number
  started: Promise<void>
  looking: Promise<void> | undefined
}

export class EventHub {
  readonly #followers = new Set<Follower>()
  #session: Session | undefined
  #streams = 0
  #isStopped = false

  constructor(private readonly options: EventHubOptions) {}

  /** Streams that are open, those that catch up among them. */
  get streams(): number {
    return this.#streams
  }

  /** @returns what is to be called when the stream ends */
  enter(): () => void {
    this.#streams++
    return () => {
      this.#streams--
    }
  }

  /**
   * From when it resolves, the follower is told of whatever a snapshot taken after that does not see.
   * @returns what is to be called when it follows no more
   */
  async follow(follower: Follower): Promise<() => void> {
    this.#followers.add(follower)
    this.#session ??= this.#begin()
    const session = this.#session
    try {
      await session.started
      // A look that is under way was not meant for it, and may see more than the follower's own next look.
      await session.looking
    } catch (error) {
      this.#leave(follower)
      throw error
    }
    if (this.#isStopped) follower.end()
    return () => this.#leave(follower)
  }

  /** Ends all who follow; they go on elsewhere. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const follower of this.#followers) follower.end()
    this.#followers.clear()
    await this.#rest()
  }

  #begin(): Session {
    const session: Session = {
      cursor: undefined,
      limit: { items: mostItems, bytes: lookBytes },
      listener: this.options.openListener?.(),
      timer: undefined,
      waitMs: busyMs,
      started: cursorOfNow(this.options.sql).then((cursor) => {
        session.cursor = cursor
        this.#lookIn(session, busyMs)
      }),
      looking: undefined,
    }
    session.listener
      // An idle hub looks sooner then, a busy one not more often.
      ?.listen(workChannel, () => session.waitMs > busyMs && this.#lookIn(session, busyMs))
      .catch((error) => {
        if (this.#session === session) this.options.log.warn({ err: error }, 'listen.failed')
      })
    return session
  }

  #leave(follower: Follower): void {
    this.#followers.delete(follower)
    if (this.#followers.size === 0) void this.#rest()
  }

  async #rest(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    if (session === undefined) return
    clearTimeout(session.timer)
    await Promise.allSettled([session.started, session.looking, session.listener?.end({ timeout: 1 })])
  }

  #lookIn(session: Session, waitMs: number): void {
    clearTimeout(session.timer)
    if (this.#session !== session) return
    session.waitMs = waitMs
    session.timer = setTimeout(() => {
      session.looking ??= this.#look(session).finally(() => {
        session.looking = undefined
      })
    }, waitMs)
  }

  async #look(session: Session): Promise<void> {
    let waitMs = idleMs
    try {
      if (session.cursor === undefined) return
      const page = await readAllPage(this.options.sql, this.#scope(), session.cursor, session.limit)
      if (this.#session !== session) return
      session.cursor = page.cursor
      session.limit = limitAfter(page, session.limit, mostItems)
      const isLast = page.cursor.partial === undefined
      this.#tell({ items: page.items, snapshot: isLast ? page.cursor.seen : page.snapshot, isLast })
      if (!page.isLast) waitMs = 0
      else waitMs = page.items.length > 0 ? busyMs : Math.min(session.waitMs + busyMs, idleMs)
    } catch (error) {
      this.options.log.warn({ err: error }, 'events.unread')
    }
    this.#lookIn(session, waitMs)
  }

  /** One statement that finds what any of them wants. */
  #scope() {
    const followers = [...this.#followers]
    const logs = followers.some((follower) => follower.logs)
    const ofAll = followers.some(({ jobId }) => jobId === undefined)
    if (ofAll) return { logs, origin: true, maxAgeSeconds }
    const jobIds = new Set(followers.flatMap(({ jobId }) => jobId ?? []))
    return { jobIds: [...jobIds], logs, origin: false, maxAgeSeconds }
  }

  #tell(news: News): void {
    const ofJob = byJob(news.items)
    for (const follower of this.#followers) {
      const wanted = follower.jobId === undefined ? news.items : (ofJob.get(follower.jobId) ?? [])
      const items = follower.logs ? wanted : wanted.filter(({ eventType }) => eventType !== 'log')
      follower.tell({ ...news, items })
    }
  }
}

function byJob(items: StreamItem[]): Map<string, StreamItem[]> {
  const ofJob = new Map<string, StreamItem[]>()
  for (const item of items) {
    const others = ofJob.get(item.jobId)
    if (others === undefined) ofJob.set(item.jobId, [item])
    else others.push(item)
  }
  return ofJob
}

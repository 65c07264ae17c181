/**
 * One client's way along the stream: first what was written before, from the database page by page as fast as the
 * client takes it, then what is new, as the hub tells of it. A client that falls behind goes back to pages: nothing is
 * held for it but a bounded number of items and bytes.
 */
import type { Sql } from '../db.ts'
import type { EventCursor } from './cursor.ts'
import type { EventHub, News } from './hub.ts'
import { limitAfter, type Page, type PageLimit, readAllPage, readJobPage, type StreamItem } from './read.ts'
import { sees, union } from './snapshot.ts'

const mostItems = 500
const firstPage: PageLimit = { items: 50, bytes: 256 * 1024 }
const heldItems = 500
const heldBytes = 256 * 1024

export interface FollowRequest {
  /** Left out: all jobs. */
  jobId?: string
  logs: boolean
  from: EventCursor
  /** A step without news comes after so long. */
  heartbeatMs: number
  signal: AbortSignal
}

/** An item and the cursor behind it; or no item, and how far the stream has come without one. */
export interface Step {
  item: StreamItem | null
  cursor: EventCursor
  /** Whether the client has now all that there was when the stream began, or when it had fallen behind. */
  isLive: boolean
}

/** Ends when the signal comes or the hub stops. @throws when the database can't be read */
export async function* follow(sql: Sql, hub: EventHub, request: FollowRequest): AsyncGenerator<Step> {
  const leave = hub.enter()
  try {
    let cursor = request.from
    while (!request.signal.aborted) {
      for await (const step of older(sql, request, cursor)) {
        cursor = step.cursor
        yield step
      }
      const inbox = new Inbox(request)
      for await (const step of live(sql, hub, request, inbox, cursor)) {
        cursor = step.cursor
        yield step
      }
      if (inbox.isEnded) return
    }
  } finally {
    leave()
  }
}

/** Until the client falls behind. */
async function* live(
  sql: Sql,
  hub: EventHub,
  request: FollowRequest,
  inbox: Inbox,
  from: EventCursor,
): AsyncGenerator<Step> {
  const stop = () => inbox.end()
  request.signal.addEventListener('abort', stop)
  if (request.signal.aborted) inbox.end()
  const leave = await hub.follow(inbox)
  try {
    let cursor = from
    // What came between the last page and the hub's word; from here on nothing is missed.
    for await (const step of older(sql, request, cursor)) {
      cursor = step.cursor
      yield step
    }
    yield { item: null, cursor, isLive: true }
    yield* newer(inbox, request, cursor)
  } finally {
    leave()
    request.signal.removeEventListener('abort', stop)
  }
}

async function* older(sql: Sql, request: FollowRequest, from: EventCursor): AsyncGenerator<Step> {
  let cursor = from
  let limit = firstPage
  while (!request.signal.aborted) {
    const page = await readPage(sql, request, cursor, limit)
    limit = limitAfter(page, limit, mostItems)
    for (const item of page.items) {
      const partial = { snapshot: page.snapshot, upTo: BigInt(item.id) }
      yield { item, cursor: { seen: cursor.seen, partial }, isLive: false }
    }
    cursor = page.cursor
    if (page.isLast) break
  }
  yield { item: null, cursor, isLive: false }
}

async function readPage(
  sql: Sql,
  { jobId, logs }: FollowRequest,
  cursor: EventCursor,
  limit: PageLimit,
): Promise<Page> {
  return jobId === undefined
    ? await readAllPage(sql, { logs, origin: true }, cursor, limit)
    : await readJobPage(sql, { jobId, logs }, cursor, limit)
}

async function* newer(inbox: Inbox, request: FollowRequest, from: EventCursor): AsyncGenerator<Step> {
  let { seen } = from
  for (;;) {
    const news = await inbox.next(request.heartbeatMs)
    if (news === 'closed') return
    if (news === null) {
      if (inbox.looked !== undefined) seen = union(seen, inbox.looked)
      yield { item: null, cursor: { seen }, isLive: true }
      continue
    }
    for (const item of news.items) {
      if (sees(seen, item.xid)) continue
      const partial = { snapshot: news.snapshot, upTo: BigInt(item.id) }
      yield { item, cursor: { seen, partial }, isLive: true }
    }
    if (news.isLast) seen = union(seen, news.snapshot)
  }
}

/** What the hub told and the client has not taken yet. Closed, it takes no more. */
class Inbox {
  readonly jobId: string | undefined
  readonly logs: boolean
  /** Set while nothing is held: how far the hub has come. */
  looked: News['snapshot'] | undefined
  isEnded = false
  #news: News[] = []
  #heldItems = 0
  #heldBytes = 0
  #isClosed = false
  #wake: (() => void) | undefined

  constructor({ jobId, logs }: FollowRequest) {
    this.jobId = jobId
    this.logs = logs
  }

  tell(news: News): void {
    if (this.#isClosed) return
    if (news.items.length === 0) {
      if (this.#news.length === 0 && news.isLast) this.looked = news.snapshot
      return
    }
    this.looked = undefined
    this.#news.push(news)
    this.#count(news, 1)
    // Too slow, or too much at once: the database keeps it.
    if (this.#heldItems > heldItems || this.#heldBytes > heldBytes) this.#close()
    this.#wake?.()
  }

  end(): void {
    this.isEnded = true
    this.#close()
    this.#wake?.()
  }

  /** @returns null when none came in time */
  async next(patienceMs: number): Promise<News | null | 'closed'> {
    if (this.#news.length === 0 && !this.#isClosed) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        timer = setTimeout(resolve, patienceMs)
      })
      clearTimeout(timer)
      this.#wake = undefined
    }
    if (this.#isClosed) return 'closed'
    const news = this.#news.shift()
    if (news !== undefined) this.#count(news, -1)
    return news ?? null
  }

  #close(): void {
    this.#isClosed = true
    this.#news = []
  }

  #count({ items }: News, sign: 1 | -1): void {
    this.#heldItems += sign * items.length
    for (const { sizeBytes } of items) this.#heldBytes += sign * sizeBytes
  }
}

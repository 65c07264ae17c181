/**
 * How far each lane has been worked off, remembered by one worker. While some transaction stays open, PostgreSQL must
 * keep the entries of all jobs that were claimed since in the claim's index, and the head of a lane lies behind them. A
 * claim that knows how far it came the last time begins there.
 *
 *   priority 9 │ (nothing ready before `since`)
 *   priority 5 │ ███████████ cursor ──► ready, ready, …
 *   priority 3 │ (nothing ready before `since`)
 *   priority 0 │ ████ cursor ──► ready, ready, …          ◄── frontier: what is below has not been read yet
 *   below      │ ready, …
 *
 * It is a hint, never the truth: what becomes ready behind a cursor (given back, tried again, committed late) is found
 * by a look at the whole lane (`lookAtLanes`), and claimed by its id.
 */
import type { Lane } from './lanes.ts'

/** Higher than any, for what has not been read at all. */
const unread = Number.POSITIVE_INFINITY
/** What an integer of PostgreSQL holds. */
export const highestPriority = 2_147_483_647
export const lowestPriority = -2_147_483_648
/** Each is a descent in the index. */
const maxCursors = 50

/** A place among the jobs of one priority. */
interface Place {
  /** Of fixed width in UTC, so that texts compare as times do. */
  turnAt: string
  id: string
}

/**
 * Where jobs of a lane may be ready: from a place on in one priority, or since a time in all of several. Left out is what
 * bounds nothing: of thousands of lanes, most of which have no jobs, a claim sends as little as it can.
 */
type Range = {
  place: number
  highest?: number
  lowest?: number
  turn_at?: string
  id?: string
}

type ByName<Value> = Record<string, Value>

/** A ready job. */
export interface Ready extends Lane, Place {
  priority: number
}

interface LaneState {
  lane: Lane
  cursors: Map<number, Place>
  /** Priorities above have been read: but for those with a cursor, none is ready in them from before `since`. */
  frontier: number
  since: string
  /** Ids of jobs that are ready behind the cursors. */
  stragglers: string[]
}

/** What was known when a look began: what it finds is compared with that. */
export type Known = ReadonlyMap<string, LaneState>

export class LaneCursors {
  #lanes = new Map<string, LaneState>()

  get known(): Known {
    return new Map(
      [...this.#lanes].map(([name, state]) => [name, { ...state, cursors: new Map(state.cursors) }]),
    )
  }

  get stragglers(): string[] {
    return [...this.#lanes.values()].flatMap(({ stragglers }) => stragglers)
  }

  /**
   * Of each lane in the order of its jobs, none for a lane of which nothing is known; by queue, key and version of the
   * definition, as a search among those of all lanes for each of them would take as much as the jobs.
   */
  get ranges(): ByName<ByName<ByName<Range[]>>> {
    const ranges: ByName<ByName<ByName<Range[]>>> = named()
    for (const state of this.#lanes.values()) {
      const { queue, definitionKey, definitionVersion } = state.lane
      ranges[queue] ??= named()
      ranges[queue][definitionKey] ??= named()
      ranges[queue][definitionKey][definitionVersion] = rangesOf(state)
    }
    return ranges
  }

  /**
   * @param jobs in the order of claims; their `turnAt` no later than that of jobs which may still be on their way
   * @param since jobs that are ready with an earlier `turnAt` could have been claimed
   */
  claimed(jobs: Ready[], since: string): void {
    const stragglers = new Set(this.stragglers)
    for (const job of jobs) {
      const name = nameOf(job)
      const state = this.#lanes.get(name) ?? newState(job)
      if (stragglers.has(job.id)) {
        state.stragglers = state.stragglers.filter((id) => id !== job.id)
        continue
      }
      state.cursors.set(job.priority, { turnAt: job.turnAt, id: job.id })
      readDownTo(state, job.priority, since)
      this.#lanes.set(name, state)
      if (state.cursors.size > maxCursors) this.#lanes.delete(name)
    }
  }

  /**
   * @param found the first jobs of each lane, in order, `limit` at most
   * @param since the time of the look
   */
  looked(known: Known, found: { lane: Lane; jobs: Ready[] }[], limit: number, since: string): void {
    for (const { lane, jobs } of found) {
      const name = nameOf(lane)
      const before = known.get(name)
      const behind = before === undefined ? [] : jobs.filter((job) => isBehind(before, job))
      // So many that came back are better worked off one after another, from the first on.
      const isReset = behind.length === limit
      const state = isReset ? newState(lane) : (this.#lanes.get(name) ?? newState(lane))
      this.#lanes.set(name, state)
      state.stragglers = isReset ? [] : behind.map(({ id }) => id)
      const next = isReset ? jobs[0] : jobs.find((job) => !behind.includes(job))
      if (next === undefined) readDownTo(state, Number.NEGATIVE_INFINITY, since)
      else if (next.priority <= state.frontier) {
        if (!state.cursors.has(next.priority)) state.cursors.set(next.priority, next)
        readDownTo(state, next.priority, since)
      }
    }
  }
}

function nameOf({ queue, definitionKey, definitionVersion }: Lane): string {
  return JSON.stringify([queue, definitionKey, definitionVersion])
}

function newState({ queue, definitionKey, definitionVersion }: Lane): LaneState {
  const lane = { queue, definitionKey, definitionVersion }
  return { lane, cursors: new Map(), frontier: unread, since: '-infinity', stragglers: [] }
}

function readDownTo(state: LaneState, priority: number, since: string): void {
  if (priority > state.frontier) return
  // An earlier look may come in after a later claim: of one frontier, the later holds.
  if (priority < state.frontier || since > state.since) state.since = since
  state.frontier = priority
}

function isBehind({ cursors, frontier, since }: LaneState, job: Ready): boolean {
  const cursor = cursors.get(job.priority)
  if (cursor === undefined) return job.priority > frontier && job.turnAt < since
  return job.turnAt < cursor.turnAt || (job.turnAt === cursor.turnAt && job.id < cursor.id)
}

/** Without a prototype: a queue may have the name of what one has. */
function named<Value>(): ByName<Value> {
  return Object.create(null)
}

function rangesOf({ cursors, frontier, since }: LaneState): Range[] {
  const ranges: Range[] = []
  const addBetween = (highest: number, lowest: number, isRead: boolean) => {
    if (highest < lowest) return
    ranges.push({
      place: ranges.length,
      ...(highest === highestPriority ? {} : { highest }),
      ...(lowest === lowestPriority ? {} : { lowest }),
      ...(isRead ? { turn_at: since } : {}),
    })
  }
  let upper = highestPriority
  for (const [priority, { turnAt, id }] of [...cursors].sort(([one], [other]) => other - one)) {
    // The frontier has a cursor, so a range between two lies on one side of it.
    addBetween(upper, priority + 1, priority >= frontier)
    ranges.push({ place: ranges.length, highest: priority, lowest: priority, turn_at: turnAt, id })
    upper = priority - 1
  }
  addBetween(upper, lowestPriority, frontier === Number.NEGATIVE_INFINITY)
  return ranges
}

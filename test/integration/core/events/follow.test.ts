import { afterEach, expect, test } from 'vitest'
import { openListener, openPool } from '../../../../core/db.ts'
import { beginning, type EventCursor } from '../../../../core/events/cursor.ts'
import { follow } from '../../../../core/events/follow.ts'
import { EventHub } from '../../../../core/events/hub.ts'
import { cursorOfNow } from '../../../../core/events/read.ts'
import { newId } from '../../../../core/ids.ts'
import { createLog } from '../../../../core/log.ts'
import { testDatabase } from '../../../support/database.ts'
import { openLine } from '../../../support/line.ts'
import { until } from '../../../support/until.ts'

const { sql, url } = await testDatabase()
const log = createLog({ level: 'silent', name: 'test' })
const hubs: EventHub[] = []
const stops: (() => void)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0)) stop()
  for (const hub of hubs.splice(0)) await hub.stop()
})

function openHub(pool = sql): EventHub {
  const listen = () => openListener({ DATABASE_URL: url, DATABASE_LISTEN_URL: undefined }, 'test')
  const hub = new EventHub({ sql: pool, openListener: listen, log })
  hubs.push(hub)
  return hub
}

async function write(jobId: string, ...types: string[]): Promise<void> {
  await sql`
    insert into job_server.events (job_id, event_type)
    select ${jobId}, type from unnest(${types}::text[]) with ordinality as given (type, place) order by place`
}

interface Client {
  types: string[]
  cursor: () => EventCursor
  live(): Promise<void>
  /** Takes nothing more until what it gives is called. */
  hold(): () => void
  stop(): Promise<void>
}

function openClient(hub: EventHub, options: { jobId?: string; from?: EventCursor } = {}): Client {
  const abort = new AbortController()
  const types: string[] = []
  let cursor = options.from ?? beginning
  let isLive = false
  let held: Promise<void> | undefined
  const steps = follow(sql, hub, {
    jobId: options.jobId,
    logs: false,
    from: cursor,
    heartbeatMs: 100,
    signal: abort.signal,
  })
  const done = (async () => {
    for await (const step of steps) {
      if (step.item !== null) types.push(step.item.eventType)
      cursor = step.cursor
      isLive = step.isLive
      await held
    }
  })()
  stops.push(() => abort.abort())
  return {
    types,
    cursor: () => cursor,
    live: async () => {
      await until('the client to be live', () => isLive)
    },
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return () => {
        held = undefined
        resolve()
      }
    },
    stop: async () => {
      abort.abort()
      await done
    },
  }
}

const has = (client: Client, type: string) => until(`${type}`, () => client.types.includes(type))

test('what was before comes first, then what is new, and nothing twice', async () => {
  const jobId = newId()
  await write(jobId, 'a', 'b')
  const client = openClient(openHub(), { jobId })
  await has(client, 'b')
  await write(jobId, 'c')
  await has(client, 'c')
  await write(newId(), 'of another')
  await write(jobId, 'd')
  await has(client, 'd')
  expect(client.types).toEqual(['a', 'b', 'c', 'd'])
})

test('an event that is committed behind a later one is told, and told to who comes back', async () => {
  const jobId = newId()
  const hub = openHub()
  const stays = openClient(hub, { jobId })
  await stays.live()
  const commit = Promise.withResolvers<void>()
  const written = Promise.withResolvers<void>()
  const slow = sql.begin(async (tx) => {
    await tx`insert into job_server.events (job_id, event_type) values (${jobId}, 'slow')`
    written.resolve()
    await commit.promise
  })
  await written.promise
  await write(jobId, 'quick')
  const leaves = openClient(hub, { jobId })
  await has(stays, 'quick')
  await has(leaves, 'quick')
  await leaves.stop()
  commit.resolve()
  await slow
  await has(stays, 'slow')
  const comesBack = openClient(hub, { jobId, from: leaves.cursor() })
  await has(comesBack, 'slow')
  await write(jobId, 'end')
  await has(stays, 'end')
  await has(comesBack, 'end')
  expect(stays.types).toEqual(['quick', 'slow', 'end'])
  expect(comesBack.types).toEqual(['slow', 'end'])
})

test('clients that come and go while much is written miss nothing and get nothing twice', async () => {
  const hub = openHub()
  const jobs = Array.from({ length: 5 }, () => newId())
  const perJob = 60
  let writing = true
  const start = await cursorOfNow(sql)
  const writers = jobs.map(async (jobId, of) => {
    for (let count = 0; count < perJob; count++) {
      const type = `${of}.${count}`
      // Some commit late, so that the order of ids is not that of commits.
      if (count % 3 > 0) await write(jobId, type)
      else {
        await sql.begin(async (tx) => {
          await tx`insert into job_server.events (job_id, event_type) values (${jobId}, ${type})`
          await tx`select pg_sleep(0.01)`
        })
      }
    }
  })

  const readAll = async (jobId: string | undefined) => {
    const types: string[] = []
    let from = jobId === undefined ? start : beginning
    while (writing) {
      const client = openClient(hub, { jobId, from })
      const enough = 1 + Math.floor(Math.random() * 20)
      await until('some events', () => client.types.length >= enough || !writing)
      await client.stop()
      types.push(...client.types)
      from = client.cursor()
    }
    const last = openClient(hub, { jobId, from })
    await last.live()
    await last.stop()
    return [...types, ...last.types].sort()
  }
  const followed = [undefined, undefined, jobs[0], jobs[1]]
  const reading = Promise.all(followed.map(readAll))
  await Promise.all(writers)
  writing = false

  const typesOf = (of: number) => Array.from({ length: perJob }, (_, count) => `${of}.${count}`)
  const every = [0, 1, 2, 3, 4].flatMap(typesOf).sort()
  expect(await reading).toEqual([every, every, typesOf(0).sort(), typesOf(1).sort()])
})

test('who falls far behind misses none and gets none twice', async () => {
  const jobId = newId()
  const hub = openHub()
  const slow = openClient(hub, { jobId })
  const quick = openClient(hub, { jobId })
  await slow.live()
  const goOn = slow.hold()
  for (let batch = 0; batch < 4; batch++) {
    await write(jobId, ...Array.from({ length: 400 }, (_, place) => `${batch}.${place}`))
    // So the hub tells of each by itself, and of more than it holds for one.
    await has(quick, `${batch}.399`)
  }
  expect(slow.types.length).toBeLessThan(2)
  goOn()
  await has(slow, '3.399')
  expect(slow.types).toEqual(quick.types)
  expect(new Set(slow.types).size).toBe(1600)
})

test('however many follow, the database is asked once, over one connection; and not at all when nobody does', async () => {
  const line = await openLine(url)
  const pool = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 4 }, 'hub')
  const hub = openHub(pool)
  const jobIds = Array.from({ length: 50 }, () => newId())
  const ofAll = openClient(hub, { from: await cursorOfNow(sql) })
  const clients = [ofAll, ...jobIds.map((jobId) => openClient(hub, { jobId }))]
  for (const client of clients) await client.live()
  expect(hub.streams).toBe(51)
  const before = line.statements()
  const startedAt = performance.now()
  for (const jobId of jobIds) await write(jobId, 'news')
  for (const client of clients) await has(client, 'news')
  await until('all to be told to the one that follows all', () => ofAll.types.length === 50)
  const looks = line.statements() - before
  expect(looks).toBeGreaterThan(0)
  expect(looks).toBeLessThanOrEqual((performance.now() - startedAt) / 100 + 2)
  const listeners = () => sql`select from pg_stat_activity where application_name = 'test listener'`
  expect(await listeners()).toHaveLength(1)

  for (const client of clients) await client.stop()
  expect(hub.streams).toBe(0)
  await until('the listener to be gone', async () => (await listeners()).length === 0)
  const idle = line.statements()
  // That nothing is asked shows over time only.
  await Bun.sleep(700)
  expect(line.statements()).toBe(idle)
  await pool.end()
})

test('the hub goes on when the database was away', async () => {
  const line = await openLine(url)
  const pool = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'hub')
  const jobId = newId()
  const client = openClient(openHub(pool), { jobId })
  await client.live()
  line.cut()
  await write(jobId, 'meanwhile')
  line.mend()
  await has(client, 'meanwhile')
  await pool.end({ timeout: 1 })
})

test('when the hub stops, all who follow end', async () => {
  const hub = openHub()
  const clients = [openClient(hub, { jobId: newId() }), openClient(hub, { from: await cursorOfNow(sql) })]
  for (const client of clients) await client.live()
  await hub.stop()
  await until('all to end', () => hub.streams === 0)
  openClient(hub, { jobId: newId() })
  await until('who comes later to end, too', () => hub.streams === 0)
})

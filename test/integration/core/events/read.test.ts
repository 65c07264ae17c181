import { expect, test } from 'vitest'
import { beginning, type EventCursor } from '../../../../core/events/cursor.ts'
import {
  cursorOfNow,
  type PageLimit,
  readAllPage,
  readJobPage,
  type StreamItem,
  usableCursor,
} from '../../../../core/events/read.ts'
import { newId } from '../../../../core/ids.ts'
import { testDatabase } from '../../../support/database.ts'
import { observePlans, pagesOf as pagesRead } from '../../../support/plans.ts'

const { sql, url } = await testDatabase()
const observed = observePlans(sql, url)
const plenty: PageLimit = { items: 100, bytes: 1e6 }

async function write(jobId: string, ...types: string[]): Promise<void> {
  await sql`
    insert into job_server.events (job_id, event_type)
    select ${jobId}, type from unnest(${types}::text[]) with ordinality as given (type, place) order by place`
}

async function writeLog(jobId: string, text: string): Promise<void> {
  await sql`
    insert into job_server.logs (job_id, lease_epoch, at, stream, text) values (${jobId}, 1, now(), 'stdout', ${text})`
}

/** Has its id already, and is committed when it is told to. */
async function late(jobId: string, type: string): Promise<() => Promise<void>> {
  const written = Promise.withResolvers<void>()
  const commit = Promise.withResolvers<void>()
  const done = sql.begin(async (tx) => {
    await tx`insert into job_server.events (job_id, event_type) values (${jobId}, ${type})`
    written.resolve()
    await commit.promise
  })
  await written.promise
  return async () => {
    commit.resolve()
    await done
  }
}

type ReadPage = (cursor: EventCursor, limit?: PageLimit) => ReturnType<typeof readJobPage>

/** The same promises for one job and for all. */
const readers: [string, (jobId: string) => Promise<{ read: ReadPage; start: EventCursor }>][] = [
  [
    'of a job',
    async (jobId) => ({
      read: (cursor, limit = plenty) => readJobPage(sql, { jobId, logs: true }, cursor, limit),
      start: beginning,
    }),
  ],
  [
    'of all jobs',
    async () => ({
      read: (cursor, limit = plenty) => readAllPage(sql, { logs: true, origin: false }, cursor, limit),
      start: await cursorOfNow(sql),
    }),
  ],
]

const typesOf = (items: StreamItem[]) => items.map(({ eventType }) => eventType)

/** Page by page, up to the last; empty pages are left out. */
async function pagesOf(read: ReadPage, from: EventCursor, limit = plenty): Promise<string[][]> {
  const pages: string[][] = []
  let cursor = from
  for (;;) {
    const page = await read(cursor, limit)
    if (page.items.length > 0) pages.push(typesOf(page.items))
    cursor = page.cursor
    if (page.isLast) return pages
  }
}

test.each(readers)(
  'events %s that are committed late are not lost, and none comes twice',
  async (_, open) => {
    const jobId = newId()
    const { read, start } = await open(jobId)
    const commitSlow = await late(jobId, 'slow')
    await write(jobId, 'quick')
    const first = await read(start)
    expect(typesOf(first.items)).toEqual(['quick'])

    // Who remembers the greatest id only, as is often done, would never see it.
    await commitSlow()
    const lastId = first.items.at(-1)?.id ?? '0'
    const byId = await sql`select from job_server.events where job_id = ${jobId} and id > ${lastId}`
    expect(byId).toHaveLength(0)

    await write(jobId, 'next')
    const second = await read(first.cursor)
    expect(typesOf(second.items)).toEqual(['slow', 'next'])
    expect((await read(second.cursor)).items).toEqual([])
  },
)

test.each(readers)('the stream %s goes on behind any single item', async (_, open) => {
  const jobId = newId()
  const { read, start } = await open(jobId)
  const commits = [await late(jobId, 'late 1'), await late(jobId, 'late 2')]
  await write(jobId, 'a', 'b')
  await writeLog(jobId, 'c')
  const { items, snapshot } = await read(start)
  expect(typesOf(items)).toEqual(['a', 'b', 'log'])
  for (const commit of commits) await commit()
  await write(jobId, 'd')
  for (const [place, { id }] of items.entries()) {
    const cursor = { seen: start.seen, partial: { snapshot, upTo: BigInt(id) } }
    // First what the look that was cut off had seen, then what came since.
    const rest = [...typesOf(items).slice(place + 1), 'late 1', 'late 2', 'd']
    expect((await pagesOf(read, cursor)).flat()).toEqual(rest)
  }
})

test.each(readers)('pages of any size make up the stream %s', async (_, open) => {
  const jobId = newId()
  const { read, start } = await open(jobId)
  // Three transactions: of three events, of one, of three.
  await write(jobId, '1', '2', '3')
  await write(jobId, '4')
  await write(jobId, '5', '6', '7')
  for (const items of [1, 2, 3, 4, 10]) {
    const pages = await pagesOf(read, start, { ...plenty, items })
    expect(pages.flat()).toEqual(['1', '2', '3', '4', '5', '6', '7'])
  }
})

test.each(readers)('a page %s holds no more bytes than it may, but for its last item', async (_, open) => {
  const jobId = newId()
  const { read, start } = await open(jobId)
  for (const size of [400, 400, 400, 5000, 10]) {
    await sql`
      insert into job_server.events (job_id, event_type, payload)
      values (${jobId}, ${String(size)}, ${sql.json({ text: 'x'.repeat(size) })})`
  }
  expect(await pagesOf(read, start, { items: 100, bytes: 1000 })).toEqual([
    ['400', '400', '400'],
    ['5000'],
    ['10'],
  ])
})

test.each(readers)('while pages %s are read more may come, late ones too', async (_, open) => {
  const jobId = newId()
  const { read, start } = await open(jobId)
  const commitSlow = await late(jobId, 'slow')
  await write(jobId, '1', '2', '3')
  const first = await read(start, { ...plenty, items: 2 })
  expect(typesOf(first.items)).toEqual(['1', '2'])
  await commitSlow()
  await write(jobId, '4')
  const rest = await pagesOf(read, first.cursor, { ...plenty, items: 2 })
  expect(rest.flat().sort()).toEqual(['3', '4', 'slow'])
})

test('only what is asked for is read', async () => {
  const [one, other] = [newId(), newId()]
  const start = await cursorOfNow(sql)
  await write(one, 'a')
  await writeLog(one, 'b')
  await write(other, 'c')
  const read = async (scope: Partial<Parameters<typeof readAllPage>[1]>) =>
    typesOf((await readAllPage(sql, { logs: false, origin: false, ...scope }, start, plenty)).items)
  expect(await read({})).toEqual(['a', 'c'])
  expect(await read({ logs: true })).toEqual(['a', 'log', 'c'])
  expect(await read({ jobIds: [one] })).toEqual(['a'])
  expect(await read({ jobIds: [] })).toEqual([])
  expect(await read({ maxAgeSeconds: 0 })).toEqual([])
})

test('a cursor of a database that counts further is of no use', async () => {
  const { seen } = await cursorOfNow(sql)
  expect(await usableCursor(sql, { seen })).toEqual({ seen })
  const ahead = { ...seen, xmax: seen.xmax + 1_000_000n }
  expect(await usableCursor(sql, { seen: ahead })).toBeNull()
  expect(await usableCursor(sql, { seen, partial: { snapshot: ahead, upTo: 1n } })).toBeNull()
})

test('events of a dump from a database that counts further are not taken for news', async () => {
  const start = await cursorOfNow(sql)
  const ahead = String(start.seen.xmax + 1_000_000n)
  await sql`insert into job_server.events (job_id, event_type, xid) values (${newId()}, 'restored', ${ahead}::xid8)`
  await write(newId(), 'fresh')
  expect(typesOf((await readAllPage(sql, { logs: false, origin: false }, start, plenty)).items)).toEqual([
    'fresh',
  ])
})

test('what is new is found by its index, however much there is and however long a transaction is open', async () => {
  const start = await cursorOfNow(sql)
  await sql.begin(async (tx) => {
    // Holds back the oldest transaction of every snapshot from here on.
    await tx`select pg_current_xact_id()`
    for (let batch = 0; batch < 20; batch++) {
      await sql`
        insert into job_server.events (job_id, event_type)
        select ${newId()}, 'old' from generate_series(1, 2000)`
    }
    await sql`analyze job_server.events`
    const { cursor } = await readAllPage(sql, { logs: true, origin: false }, start, {
      items: 100_000,
      bytes: 1e8,
    })
    expect(cursor.seen.running.length).toBeGreaterThan(0)
    await write(newId(), 'new')
    const read = async () => {
      const page = await readAllPage(observed.sql, { logs: true, origin: false }, cursor, plenty)
      expect(typesOf(page.items)).toEqual(['new'])
    }
    const [plan] = await observed.plansOf(read, /pg_current_snapshot/)
    expect(plan === undefined ? Number.NaN : pagesRead(plan)).toBeLessThan(200)
  })
})

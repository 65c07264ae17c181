/** The text of bench/model.md: measured costs, and what follows from them. */
import type { JobCost } from './job-costs.ts'

/** Of a processor, in use before queues begin to form. */
const usedShare = 0.7
const walMbPerSecond = 100
const flushesPerSecond = 1000
const retentionDays = 30
const secondsPerDay = 86_400
/** Their cores. */
const primaries = [2, 8, 32]
/** Jobs a second. */
const wanted = [100, 1_000, 10_000]
/** For the example of many databases. */
const target = { jobsPerSecond: 100_000, cores: 8 }
/** Connections of one process. */
const poolSize = 4
const allowedConnections = 97
const lineWidth = 120

export function modelText(circumstances: string, costs: JobCost[]): string {
  return joined([
    '# What one PostgreSQL carries',
    paragraph(
      'Written by `bun run bench:model`, on a PostgreSQL with its own defaults (fsync and synchronous_commit on).',
    ),
    indented(circumstances),
    '## What a job takes',
    paragraph(
      'From enqueue to the last row about it, in history with its attempts and events. Upkeep, polling and statistics',
      'of one worker and one scheduler are part of it. Statements include transaction control; rows are inserted,',
      'updated or deleted; CPU is that of all processes of PostgreSQL.',
    ),
    costTable(costs),
    list(
      'Jobs that come one by one cost a statement each for enqueue, claim and end. Those that come together share',
      'statements, commits and flushes: that is most of the difference between the rows of the table.',
    ),
    list(
      'WAL includes the images of whole pages that PostgreSQL writes after a checkpoint: the more often there is one,',
      'the more of them.',
    ),
    list(
      'Parameters, results, checkpoints, progress and log lines of your own jobs come on top; parameters twice in WAL,',
      'once for the live table and once for history.',
    ),
    '## What a primary carries',
    ...capacity(costs),
    '## Connections',
    connections(),
    '## Beyond one primary',
    ...beyond(costs),
  ])
}

/** With a line between them, but for the items of a list. */
function joined(blocks: string[]): string {
  const isItem = (block: string | undefined) => block?.startsWith('- ')
  const text = blocks.map((block, place) =>
    isItem(block) && isItem(blocks[place + 1]) ? `${block}\n` : `${block}\n\n`,
  )
  return `${text.join('').trimEnd()}\n`
}

function costTable(costs: JobCost[]): string {
  return table(
    [
      'a job',
      'statements',
      'commits',
      'rows written',
      'WAL, bytes',
      'WAL flushes',
      'kept in tables, bytes',
      'kept in indexes, bytes',
      'CPU, ms',
    ],
    costs.map((cost) => [
      cost.kind,
      figure(cost.statements),
      figure(cost.commits),
      figure(cost.rowsWritten),
      figure(cost.walBytes),
      figure(cost.walFlushes),
      figure(cost.heapBytes),
      figure(cost.indexBytes),
      figure(cost.cpuMs),
    ]),
  )
}

function capacity(costs: JobCost[]): string[] {
  const flushes = figure(flushesPerSecond)
  return [
    paragraph('Three things run out, and the lowest of them counts:'),
    list(
      `**Processors:** cores · 1000 ms · ${usedShare} / CPU a job. A core is one of the machine above; workers run`,
      'elsewhere.',
    ),
    list(
      `**WAL:** ${walMbPerSecond} MB/s / WAL a job. So much a good SSD takes on and on, and so much a network of`,
      '1 Gbit/s brings to a replica.',
    ),
    list(
      `**Flushes:** ${flushes} a second / flushes a job: one of 1 ms at a time. Commits that come meanwhile share the`,
      'next, so a busy server needs fewer a job than were measured, and carries more than this.',
    ),
    table(
      [
        'jobs a second',
        ...primaries.map((cores) => `${cores} cores`),
        `${walMbPerSecond} MB/s of WAL`,
        `${flushes} flushes`,
      ],
      costs.map((cost) => [
        cost.kind,
        ...primaries.map((cores) => figure(byProcessors(cost, cores))),
        figure(byWal(cost)),
        figure(flushesPerSecond / cost.walFlushes),
      ]),
    ),
    paragraph(
      `What is kept grows with the jobs of ${retentionDays} days (\`HISTORY_RETENTION_DAYS\`): jobs a second ·`,
      `${figure(secondsPerDay)} s · ${retentionDays} · bytes kept of a job. The live tables hold what has not ended,`,
      'and no more. Of the jobs that take least:',
    ),
    table(
      ['jobs a second, day and night', ...wanted.map((rate) => figure(rate))],
      [
        [`history of ${retentionDays} days, GB`, ...wanted.map((rate) => figure(keptGb(least(costs), rate)))],
        [
          'WAL a day, GB',
          ...wanted.map((rate) => figure((rate * secondsPerDay * least(costs).walBytes) / 1e9)),
        ],
      ],
    ),
  ]
}

function connections(): string {
  const workers = Math.floor((allowedConnections - 3 * poolSize - 2 * 2) / (poolSize + 1))
  return paragraph(
    `A worker holds at most ${poolSize} connections (\`DATABASE_POOL_SIZE\`) and one that listens, whatever number of`,
    `slots it has; a job process holds none. An API or a scheduler holds at most ${poolSize}, an API one more to be asked`,
    'whether it is ready, and one that streams events another; a function holds one, during a call. Of the 100 that',
    'PostgreSQL allows by default, three are',
    `kept for administrators: enough for two APIs, a scheduler and (${allowedConnections} − 3 · ${poolSize} − 4) /`,
    `${poolSize + 1} = ${workers} workers. For more, raise \`max_connections\`, or put a pooler between, with`,
    '`DATABASE_LISTEN_URL` past it.',
  )
}

function beyond(costs: JobCost[]): string[] {
  const { jobsPerSecond, cores } = target
  const best = least(costs)
  const one = Math.min(byProcessors(best, cores), byWal(best))
  const databases = Math.ceil(jobsPerSecond / one)
  return [
    paragraph(
      'First make jobs cheaper: enqueue many in one request, let short jobs share processes (`runsPerProcess`), keep',
      'history for fewer days, put large results into storage. Then take a larger machine. Divide when your peak comes',
      'near the lowest figure for the largest machine that you want to run, or when the loss of one database must not',
      'stop all queues.',
    ),
    paragraph(
      '**By queues, over databases of their own.** Two queues share nothing but the server. So each group of queues gets',
      'a database, and an API, workers and a scheduler that have its `DATABASE_URL`; who enqueues picks the API by the',
      'queue. Nothing has to be built for that. Idempotency keys, concurrency keys, limits, dependencies, children and',
      'schedules hold within a database; dashboard and metrics are one for each. Jobs do not move: to give a queue',
      'another database, enqueue there from now on, and let what is left be worked off.',
    ),
    paragraph(
      `For ${figure(jobsPerSecond)} jobs a second of the kind that takes least (${best.kind}), on primaries of`,
      `${cores} cores: one carries ${figure(byProcessors(best, cores))} by its processors and ${figure(byWal(best))} by`,
      `its WAL, and ${figure(jobsPerSecond)} / ${figure(one)} makes ${databases} databases, each with`,
      `${figure(jobsPerSecond / databases)} jobs and ${figure(((jobsPerSecond / databases) * best.walBytes) / 1e6)} MB of`,
      'WAL a second.',
    ),
    paragraph(
      '**By Citus.** Its distributed tables do not fit: it takes `FOR UPDATE` only in statements that touch a single',
      'shard (https://docs.citusdata.com/en/stable/develop/reference_workarounds.html), while a claim locks the heads of',
      'many queues; and a primary key must contain the column that rows are distributed by, while jobs, attempts and',
      'events are known by the id of the job alone. Its sharding by schema would fit, a schema for each group of queues,',
      'whole on one node; but the statements name the schema `job_server`, so that takes work. Databases by URL divide',
      'the same way without it.',
    ),
  ]
}

/** Jobs a second. */
function byProcessors({ cpuMs }: JobCost, cores: number): number {
  return (cores * 1000 * usedShare) / cpuMs
}

/** Jobs a second. */
function byWal({ walBytes }: JobCost): number {
  return (walMbPerSecond * 1e6) / walBytes
}

function keptGb({ heapBytes, indexBytes }: JobCost, rate: number): number {
  return (rate * secondsPerDay * retentionDays * (heapBytes + indexBytes)) / 1e9
}

/** By its CPU. */
function least(costs: JobCost[]): JobCost {
  const [cost] = costs.toSorted((one, other) => one.cpuMs - other.cpuMs)
  if (cost === undefined) throw new Error('nothing was measured')
  return cost
}

function paragraph(...parts: string[]): string {
  return wrapped(parts.join(' '), '')
}

function list(...parts: string[]): string {
  return wrapped(`- ${parts.join(' ')}`, '  ')
}

/** Lines of no more than their width. @param indent of all but the first */
function wrapped(text: string, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && longer.length > lineWidth) {
      lines.push(line)
      line = indent + word
    } else line = longer
  }
  return [...lines, line].join('\n')
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  const rule = head.map((_, place) => (place === 0 ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

function figure(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

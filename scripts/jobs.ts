#!/usr/bin/env bun
/** `bun run jobs …`: the command line, over the HTTP API. */
import { createApiClient } from '../api/client.ts'
import { type Command, NotNow, type Options, type Printer, Refused } from './cli/command.ts'
import { definitionCommands } from './cli/definitions.ts'
import { jobCommands } from './cli/jobs.ts'
import { operationCommands } from './cli/operations.ts'
import { givenKey } from './cli/refusal.ts'
import { webhookCommands } from './cli/webhooks.ts'
import { readWords, refuseMore, tableLines, UsageError } from './command-line.ts'
import { readStackInfo } from './stack.ts'

const commands = [...jobCommands, ...definitionCommands, ...operationCommands, ...webhookCommands]
const everywhere = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

process.exit(await main(process.argv.slice(2)))

/**
 * @returns the exit status: 1 for what the API refused or a job that failed, 2 for what was asked wrongly, 3 where a
 * job was followed and the API no longer answered
 */
async function main(words: string[]): Promise<number> {
  const command = commands.find(({ words: own }) => own === words.slice(0, own.split(' ').length).join(' '))
  try {
    if (command === undefined) {
      const asksForHelp = words.length === 0 || words.some((word) => ['--help', '-h', 'help'].includes(word))
      if (!asksForHelp) throw new UsageError(`There is no command "${words.slice(0, 2).join(' ')}".`)
      console.log(help())
      return words.length === 0 ? 2 : 0
    }
    return await run(command, words.slice(command.words.split(' ').length))
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${help(command)}`)
      return 2
    }
    if (!(error instanceof Refused)) throw error
    console.error(error.message)
    return error.exitStatus
  }
}

async function run(command: Command, args: string[]): Promise<number> {
  const { words, values } = readWords(args, { ...command.options, ...everywhere })
  if (values.help) {
    console.log(help(command))
    return 0
  }
  refuseMore(words, command.mostWords, command.whereElse)
  // An empty one is none.
  const url = process.env.JOB_SERVER_URL || ((await readStackInfo())?.apiUrl ?? 'http://127.0.0.1:3000')
  const api = createApiClient(url, {
    apiKey: givenKey(),
    fetch: Object.assign(reaching(url), fetch),
  })
  const context = {
    api,
    given: words,
    options: optionsOf(values),
    print: printer(values.json === true),
  }
  return (await command.run(context)) ?? 0
}

function reaching(url: string) {
  return async (...request: Parameters<typeof fetch>) => {
    try {
      return await fetch(...request)
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'TimeoutError') {
        throw new NotNow(`The API at ${url} does not answer.`, { cause })
      }
      throw new NotNow(`There is no API at ${url}; JOB_SERVER_URL names another.`, { cause })
    }
  }
}

function optionsOf(values: ReturnType<typeof readWords>['values']): Options {
  const text = (name: string) => {
    const value = values[name]
    return typeof value === 'string' ? value : undefined
  }
  return {
    text,
    number: (name) => {
      const given = text(name)
      if (given === undefined) return undefined
      const number = Number(given)
      if (given.trim() === '' || !Number.isFinite(number)) throw new UsageError(`--${name} takes a number.`)
      return number
    },
    flag: (name) => values[name] === true,
    list: (name) => {
      const value = values[name]
      return Array.isArray(value) ? value.map(String) : undefined
    },
  }
}

function printer(isJson: boolean): Printer {
  return {
    isJson,
    answer: (whole, forPeople) => {
      for (const line of isJson ? [JSON.stringify(whole)] : forPeople()) console.log(line)
    },
    note: (line) => {
      if (!isJson) console.log(line)
    },
  }
}

function help(command?: Command): string {
  const shown = command === undefined ? commands : [command]
  const lines = shown.flatMap(({ words, takes, does }) => [
    `  bun run jobs ${`${words} ${takes}`.trim()}`,
    `      ${does}`,
  ])
  return [
    'Usage',
    ...lines,
    ...optionLines(command),
    '',
    '  --json prints answers for programs, one a line. JOB_SERVER_URL names the API (the stack of this directory,',
    '  or http://127.0.0.1:3000, when left out), JOB_SERVER_API_KEY is the key to show.',
    '',
    '  Exit status: 1 when the API refused, or the job that was followed did not succeed; 2 when nothing was done as the',
    '  command was put wrongly; 3 when the API no longer answered while a job was followed: how it ends is not known.',
  ].join('\n')
}

/** Those that have something said of them. */
function optionLines(command?: Command): string[] {
  const rows = Object.entries(command?.options ?? {}).flatMap(([name, { takes = '', does }]) =>
    does === undefined ? [] : [[`--${name} ${takes}`.trim(), does]],
  )
  return rows.length === 0 ? [] : ['', ...tableLines(rows).map((line) => `  ${line}`)]
}

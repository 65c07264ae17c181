/** Commands about definitions. */
import { definitionName } from '../../core/definitions/name.ts'
import { bodyOf, type Command, first, inPath } from './command.ts'
import { each } from './each.ts'
import { table } from './table.ts'

export const definitionCommands: Command[] = [
  {
    words: 'definitions list',
    takes: '',
    mostWords: 0,
    does: 'lists what can be run',
    async run({ api, print }) {
      const answer = await bodyOf(await api.v1.definitions.$get())
      print.answer(answer, () =>
        table(
          ['definition', 'queue', 'attempts', 'time limit'],
          answer.definitions.map((definition) => [
            definitionName(definition),
            definition.queue,
            definition.defaultMaxAttempts,
            `${definition.timeoutSeconds} s`,
          ]),
        ),
      )
      return 0
    },
  },
  {
    words: 'definitions remove',
    takes: 'KEY[@VERSION]…',
    mostWords: Number.POSITIVE_INFINITY,
    does: 'removes what nobody needs any more; its history stays',
    async run({ api, given, print }) {
      first(given, 'KEY[@VERSION]')
      return await each(given, {
        print,
        idName: 'definition',
        act: async (name) => {
          const { key, version } = parsed(name)
          const response = await api.v1.definitions[':key'][':version'].$delete({
            param: { key: inPath(key), version },
          })
          if (!response.ok) await bodyOf(response)
          return { removed: true }
        },
        line: () => 'removed',
      })
    },
  },
]

/** A key may have an @ of its own: only a number behind it is a version. */
function parsed(name: string): { key: string; version: string } {
  const [, key = name, version = '1'] = /^(.+)@(\d+)$/s.exec(name) ?? []
  return { key, version }
}

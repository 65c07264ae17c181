import { describe, expect, test } from 'vitest'
import { requireJson } from '../../../api/require-json.ts'

const check = (text: string) => requireJson(new TextEncoder().encode(text).buffer)

describe('a number', () => {
  test.each([
    '9007199254740993',
    '-9007199254740993',
    '18446744073709551616',
    '1180591620717411303424',
    `1${'0'.repeat(22)}1`,
    `1${'0'.repeat(400)}`,
    '1e999',
    '-1e999',
    '1.5E+999',
  ])('that would come back as another is refused by its name: %s', (number) => {
    const shown = number.replace('-', '').slice(0, 40)
    expect(() => check(`{"params":{"id":${number}}}`)).toThrow(
      new RegExp(
        `^The number ${shown.replace(/[.+]/g, '\\$&')}…? can't be kept as it is; send it as a string\\.$`,
      ),
    )
  })

  test.each([
    '0',
    '-0',
    '-17',
    '9007199254740991',
    '9007199254740992',
    '18446744073709552000',
    `1${'0'.repeat(24)}`,
    '1e308',
    '1e-999',
    '0.1234567890123456789',
    '123456789012345.678',
  ])('that comes back as it was is taken: %s', (number) => {
    expect(() => check(`[${number}, {"a": ${number}}]`)).not.toThrow()
    expect(() => check(number)).not.toThrow()
  })

  test('in a text is text', () => {
    expect(() => check('{"9007199254740993": "1e999 \\" 9007199254740993"}')).not.toThrow()
  })

  test.each(['1-2', '007', '1e', '--1', '1.2.3'])('that is none is no JSON: %s', (number) => {
    expect(() => check(`[${number}]`)).toThrow('The body is not valid JSON.')
  })
})

test('a body is refused that is nested too deep, no JSON or no UTF-8', () => {
  expect(() => check(`${'['.repeat(100)}${']'.repeat(100)}`)).not.toThrow()
  expect(() => check(`${'['.repeat(101)}${']'.repeat(101)}`)).toThrow('nested deeper than 100 levels')
  expect(() => check('{"a":')).toThrow('not valid JSON')
  expect(() => requireJson(new Uint8Array([0x22, 0xe9, 0x22]).buffer)).toThrow('not valid UTF-8')
})

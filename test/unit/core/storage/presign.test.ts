import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isMediaKey, sourceKey } from '../../../../core/storage/keys.ts'
import { contentDisposition } from '../../../../core/storage/presign.ts'

test('no file name gets out of its place in Content-Disposition', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const header = contentDisposition(`"${name}\r\nX-Injected: 1`)
      expect(header).toMatch(/^attachment; filename="[\x20-\x7e]*"; filename\*=UTF-8''[\w.~!%-]*$/)
      const [, ascii = ''] = /filename="(.*)"; /.exec(header) ?? []
      expect(ascii).not.toMatch(/["\\]/)
    }),
  )
})

test('half a character in a file name is replaced, not fatal', () => {
  expect(contentDisposition('a\ud800.mp4')).toContain("filename*=UTF-8''a%EF%BF%BD.mp4")
})

test.each([
  ['sources/../x/y', false],
  ['sources/a/../b', false],
  ['outputs/a', false],
  ['/sources/a/b', false],
  ['sources/a/b\n', false],
  ['SOURCES/a/b', false],
  ['outputs/019a8b3e/12/holiday-720p.mp4', true],
  [sourceKey('019a8b3e-5c1f-7c3a-9f4e-2d6b8a1c0e57'), true],
])('%j names a source or an output: %j', (key, expected) => {
  expect(isMediaKey(key)).toBe(expected)
})

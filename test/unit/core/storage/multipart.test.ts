import { expect, test } from 'vitest'
import { partSizeFor } from '../../../../core/storage/multipart.ts'

const mebibyte = 1024 ** 2

test.each([
  { what: 'a byte', sizeBytes: 1, partMebibytes: 64 },
  { what: 'what 10,000 parts just carry', sizeBytes: 640_000 * mebibyte, partMebibytes: 64 },
  { what: 'a byte more', sizeBytes: 640_000 * mebibyte + 1, partMebibytes: 65 },
  { what: 'the largest object there is, 5 TiB', sizeBytes: 5 * 1024 ** 4, partMebibytes: 525 },
])('parts grow so that 10,000 of them carry $what', ({ sizeBytes, partMebibytes }) => {
  const partSize = partSizeFor(sizeBytes, 64 * mebibyte)
  expect(partSize).toBe(partMebibytes * mebibyte)
  expect(Math.ceil(sizeBytes / partSize)).toBeLessThanOrEqual(10_000)
})

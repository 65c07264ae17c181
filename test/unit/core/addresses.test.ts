import { describe, expect, test } from 'vitest'
import { isAllowable, isPublicAddress, reachOf } from '../../../core/addresses.ts'

describe('public', () => {
  test.each(['93.184.216.34', '8.8.8.8', '168.63.129.17', '2606:4700::1111'])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })
})

describe('not public', () => {
  test.each([
    ...['127.0.0.1', '127.8.9.10', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
    ...['169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '192.0.2.1'],
    ...['::1', '::', 'fe80::1', 'fc00::1', 'fd12::1', 'ff02::1', '2002:a00:1::', '2001::1'],
    ...['::ffff:127.0.0.1', '::ffff:10.0.0.1', '64:ff9b::a00:1', 'no address'],
    ...['168.63.129.16', '::ffff:168.63.129.16', '::127.0.0.1', '::a9fe:a9fe', '::8.8.8.8'],
  ])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

test('what is allowed is reached beside what is public, and nothing else is', () => {
  const reach = reachOf(['10.1.0.0/16', '192.168.7.7', 'fd00:1::/32', 'Hooks.Internal', '127.0.0.1'])
  const reached = (address: string, host = address) => reach(address, host)
  expect(reached('8.8.8.8')).toBe(true)
  expect(reached('10.1.255.1')).toBe(true)
  expect(reached('::ffff:10.1.0.1')).toBe(true)
  expect(reached('10.2.0.1')).toBe(false)
  expect(reached('192.168.7.7')).toBe(true)
  expect(reached('192.168.7.8')).toBe(false)
  expect(reached('fd00:1::5')).toBe(true)
  expect(reached('fd00:2::5')).toBe(false)
  expect(reached('::1')).toBe(false)
  expect(reached('172.16.0.1', 'hooks.internal')).toBe(true)
  expect(reached('172.16.0.1', 'HOOKS.internal.')).toBe(true)
  expect(reached('172.16.0.1', 'evil-hooks.internal')).toBe(false)
})

describe('an entry of the list', () => {
  test.each(['hooks', 'hooks.internal', 'under_score', '10.0.0.1', '10.0.0.0/8', 'fd00::/8', '::1'])(
    '%s',
    (entry) => {
      expect(isAllowable(entry)).toBe(true)
    },
  )

  test.each(['', '10.0.0.0/33', 'http://hooks', 'hooks:80', 'a b', '*.internal', '-x'])('not %j', (entry) => {
    expect(isAllowable(entry)).toBe(false)
  })
})

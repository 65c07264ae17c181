import { expect, test } from 'vitest'
import { contractSuite } from './contract.ts'

const { api } = await contractSuite('bun')

test('the API stops cleanly when it is asked to', async () => {
  expect(await api.stop(), api.output()).toBe(0)
  expect(api.output()).toContain('api.stopped')
})

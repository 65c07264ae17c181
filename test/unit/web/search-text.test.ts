import { expect, test } from 'vitest'
import { wantedBy } from '../../../web/views/jobs/search-text.ts'

const id = '0198a1b2-0000-7000-8000-00000000000A'

test.each([
  [` ${id}`, { kind: 'job', jobId: id.toLowerCase() }],
  ['tag: nightly', { kind: 'jobs', search: { tag: 'nightly' } }],
  ['worker:a-1', { kind: 'jobs', search: { worker: 'a-1' } }],
  ['out of memory ', { kind: 'jobs', search: { error: 'out of memory' } }],
  ['tags: x', { kind: 'jobs', search: { error: 'tags: x' } }],
  ['  ', { kind: 'jobs', search: { error: undefined } }],
])('“%s” means %o', (text, wanted) => {
  expect(wantedBy(text)).toEqual(wanted)
})

/** How requests say which jobs they mean. */
import { z } from 'zod'
import { jobStatuses } from '../../core/job-state.ts'
import { id, text, time } from '../validate.ts'

/** In a body and in a query alike. */
export const jobFilter = {
  status: z.enum(jobStatuses).optional(),
  definitionKey: text(255).optional(),
  queue: text(100).optional(),
  workerId: text(255).optional(),
  parentId: id.optional(),
  queuedAfter: time.optional(),
  queuedBefore: time.optional(),
  error: text(500).describe('Part of errorSummary, whatever its case.').optional(),
}

export const tag = text(100)
export const maxTags = 50

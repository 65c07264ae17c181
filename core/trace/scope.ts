/**
 * What the code that runs now does its work for: who opens a scope need not hand the trace through every function in
 * between. Who has none, as a program that uses the queue by itself, pays nothing.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { TraceContext } from './context.ts'
import type { Tracer } from './tracer.ts'

export interface TraceScope {
  tracer: Tracer
  /** Null: what is begun here begins a trace. */
  context: TraceContext | null
}

const scopes = new AsyncLocalStorage<TraceScope>()

export function inScope<Result>(scope: TraceScope, run: () => Result): Result {
  return scopes.run(scope, run)
}

export function scopeNow(): TraceScope | undefined {
  return scopes.getStore()
}

/** Structured logs: one event a line, named `noun.past`; readable in a terminal, JSON otherwise. */
import pino from 'pino'
import pretty from 'pino-pretty'

export type Log = pino.Logger

/** Masks what must never be logged, should it come along in an object. */
const redact = [
  'params',
  'result',
  'authorization',
  'password',
  'secret',
  '*.params',
  '*.result',
  '*.authorization',
  '*.password',
  '*.secret',
]

export function createLog(options: { level: string; name: string }): Log {
  const settings: pino.LoggerOptions = {
    name: options.name,
    level: options.level,
    redact: { paths: redact, censor: '[redacted]' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    base: { name: options.name },
  }
  return process.stdout.isTTY ? pino(settings, pretty({ sync: true, ignore: 'name' })) : pino(settings)
}

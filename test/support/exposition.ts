/** Reads the text format of Prometheus strictly: what does not parse, or comes twice, is an error. */

const name = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const comment = new RegExp(`^# (?:HELP ${name} .*|TYPE (${name}) (counter|gauge|histogram))$`)
const sample = new RegExp(`^(${name})(?:\\{(.*)\\})? (-?[\\d.e+-]+|\\+Inf)$`)
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y

/** Values by `name{label="value",…}`. */
export function parseExposition(text: string): Map<string, number> {
  if (!text.endsWith('\n')) throw new Error('the text does not end with a newline')
  const samples = new Map<string, number>()
  const typed = new Set<string>()
  for (const line of text.slice(0, -1).split('\n')) {
    const about = comment.exec(line)
    if (about !== null) {
      if (about[1] === undefined) continue
      if (typed.has(about[1])) throw new Error(`a second family ${about[1]}`)
      typed.add(about[1])
      continue
    }
    const [, metric, labels = '', value] = sample.exec(line) ?? []
    if (metric === undefined || !areLabels(labels)) throw new Error(`not a sample: ${line}`)
    if (!typed.has(metric) && !typed.has(metric.replace(/_(bucket|sum|count)$/, ''))) {
      throw new Error(`a sample without a type: ${line}`)
    }
    const key = labels === '' ? metric : `${metric}{${labels}}`
    if (samples.has(key)) throw new Error(`twice: ${key}`)
    samples.set(key, Number(value?.replace('+Inf', 'Infinity')))
  }
  return samples
}

function areLabels(text: string): boolean {
  label.lastIndex = 0
  while (label.lastIndex < text.length) if (label.exec(text) === null) return false
  return true
}

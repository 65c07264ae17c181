/** The reference as one page of HTML: no script, and nothing asked of any other host. */
import type { DocumentedOperation, OpenApiDocument } from './document.ts'

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #0a7d5a }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem 1.5rem 4rem }
h2 { margin: 2.5rem 0 .5rem; text-transform: capitalize }
nav a { margin-right: 1rem }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: 0 1rem }
summary { cursor: pointer; padding: .6rem 0; display: flex; flex-wrap: wrap; gap: .25rem .75rem }
details[open] { padding-bottom: 1rem }
code, pre { font: .875em/1.5 ui-monospace, monospace }
code { overflow-wrap: anywhere }
pre { background: var(--soft); border-radius: .4rem; padding: .75rem; overflow: auto; max-height: 30rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-top: 1px solid var(--line) }
.method { font-weight: 700; color: var(--accent); min-width: 4.5rem }
.what { opacity: .75 }
h4 { margin: 1rem 0 .25rem }`

export function referencePage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
  const tags = [...new Set(operations.flatMap(({ operation }) => operation.tags))]
  const sections = tags.map((tag) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(tag))
    return `<section id="${escaped(tag)}"><h2>${escaped(tag)}</h2>${own.map(operationHtml).join('')}</section>`
  })
  const links = tags.map((tag) => `<a href="#${escaped(tag)}">${escaped(tag)}</a>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Job Server API</title><style>${style}</style></head><body>
<h1>Job Server API</h1>
<p>${escaped(String(document.info.description))} Failures are <code>application/problem+json</code> with a stable
<code>code</code>. The same as a document for programs: <a href="/openapi.json">openapi.json</a>.</p>
<nav>${[...links, '<a href="#schemas">schemas</a>'].join('\n')}</nav>
${sections.join('\n')}
<section id="schemas"><h2>Schemas</h2>${Object.entries(document.components.schemas).map(schemaHtml).join('')}</section>
</body></html>`
}

function operationHtml(entry: { method: string; path: string; operation: DocumentedOperation }): string {
  const { method, path, operation } = entry
  return `<details id="${escaped(operation.operationId)}"><summary><span class="method">${method.toUpperCase()}</span>
<code>${escaped(path)}</code><span class="what">${escaped(operation.summary)}</span></summary>
${operation.description === undefined ? '' : `<p>${escaped(operation.description)}</p>`}
${parametersHtml(operation.parameters ?? [])}
${operation.requestBody === undefined ? '' : `<h4>Body</h4>${contentHtml(operation.requestBody)}`}
${Object.entries(operation.responses)
  .map(
    ([status, answer]) =>
      `<h4>${status}</h4><p>${escaped(String(answer.description))}</p>${contentHtml(answer)}`,
  )
  .join('')}</details>`
}

function parametersHtml(parameters: Record<string, unknown>[]): string {
  if (parameters.length === 0) return ''
  const rows = parameters.map(
    (parameter) =>
      `<tr><td><code>${escaped(String(parameter.name))}</code></td><td>${escaped(String(parameter.in))}</td>
<td><code>${json(parameter.schema, 0)}</code></td><td>${escaped(String(parameter.description ?? ''))}</td></tr>`,
  )
  return `<h4>Parameters</h4><table>${rows.join('')}</table>`
}

/** Of problems it is enough to know their codes, which the description has. */
function contentHtml(holder: Record<string, unknown>): string {
  const content = (holder.content ?? {}) as Record<string, { schema?: unknown; example?: unknown }>
  return Object.entries(content)
    .filter(([type]) => type !== 'application/problem+json')
    .map(
      ([type, { schema, example }]) => `<p><code>${escaped(type)}</code></p>
${example === undefined ? '' : `<pre>${json(example)}</pre>`}${schema === undefined ? '' : `<pre>${json(schema)}</pre>`}`,
    )
    .join('')
}

function schemaHtml([name, schema]: [string, unknown]): string {
  return `<details id="schema-${escaped(name)}"><summary><code>${escaped(name)}</code></summary><pre>${json(schema)}</pre></details>`
}

function json(value: unknown, indent = 2): string {
  return escaped(JSON.stringify(value, null, indent)).replace(
    /#\/components\/schemas\/(\w+)/g,
    (reference, name) => `<a href="#schema-${name}">${reference}</a>`,
  )
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

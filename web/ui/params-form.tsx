/** Fields for the parameters of a definition, or one for all of them as JSON. */
import { useMemo, useState } from 'react'
import { messageOf } from '../api.ts'
import { Button, Field } from './basics.tsx'
import { fieldsOf, jsonOf, parseField, type SchemaField } from './schema-form.ts'

export interface ParamsForm {
  /** @returns null when something is wrong, which then stands beside its field */
  read(): Record<string, unknown> | null
  /** What the API found wrong, by path, as `params.message`. */
  show(details: { path: string; message: string }[]): void
  fields: SchemaField[] | null
  texts: Record<string, string>
  setText(name: string, text: string): void
  problems: Record<string, string>
  isJson: boolean
  setJson(isJson: boolean): void
}

const whole = 'params'

/** @param initial JSON to begin with, in place of the schema's defaults */
export function useParamsForm(
  schema: Record<string, unknown>,
  initial?: Record<string, unknown>,
): ParamsForm {
  const fields = useMemo(() => fieldsOf(schema), [schema])
  const [texts, setTexts] = useState<Record<string, string>>(() => ({
    ...Object.fromEntries((fields ?? []).map((field) => [field.name, field.initial])),
    [whole]: JSON.stringify(initial ?? {}, null, 2),
  }))
  const [problems, setProblems] = useState<Record<string, string>>({})
  const [wantsJson, setWantsJson] = useState(initial !== undefined)
  const isJson = wantsJson || fields === null

  function readFields(): Record<string, unknown> | null {
    const values: Record<string, unknown> = {}
    const found: Record<string, string> = {}
    for (const field of fields ?? []) {
      try {
        const value = parseField(field, texts[field.name] ?? '')
        if (value !== undefined) values[field.name] = value
        else if (field.isRequired) found[field.name] = 'This is needed.'
      } catch (error) {
        found[field.name] = messageOf(error)
      }
    }
    setProblems(found)
    return Object.keys(found).length === 0 ? values : null
  }

  function readJson(): Record<string, unknown> | null {
    try {
      const value = jsonOf(texts[whole] ?? '')
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new Error('Parameters are an object: { … }')
      }
      setProblems({})
      return value as Record<string, unknown>
    } catch (error) {
      setProblems({ [whole]: messageOf(error) })
      return null
    }
  }

  return {
    read: isJson ? readJson : readFields,
    show: (details) => {
      const found: Record<string, string> = {}
      for (const { path, message } of details) {
        const name = /^params\.([^.]+)/.exec(path)?.[1]
        const isField = !isJson && name !== undefined && fields?.some((field) => field.name === name)
        found[isField ? name : whole] ??= isField ? message : `${path}: ${message}`
      }
      setProblems(found)
    },
    fields,
    texts,
    setText: (name, text) => setTexts((before) => ({ ...before, [name]: text })),
    problems,
    isJson,
    setJson: (next) => {
      if (next) {
        const values = readFields()
        if (values !== null) setTexts((before) => ({ ...before, [whole]: JSON.stringify(values, null, 2) }))
      }
      setWantsJson(next)
    },
  }
}

export function ParamsFields({ form }: { form: ParamsForm }) {
  const { fields, isJson, problems, texts, setText } = form
  return (
    <fieldset className="params">
      <legend>
        Parameters
        {fields === null ? null : (
          <Button look="quiet" onClick={() => form.setJson(!isJson)}>
            {isJson ? 'As fields' : 'As JSON'}
          </Button>
        )}
      </legend>
      {isJson ? (
        <Field label="JSON" error={problems[whole]}>
          <textarea
            rows={8}
            spellCheck={false}
            value={texts[whole] ?? ''}
            onChange={({ target }) => setText(whole, target.value)}
          />
        </Field>
      ) : (
        <>
          {fields?.length === 0 ? <p className="faint">It takes none.</p> : null}
          {fields?.map((field) => (
            <Field
              key={field.name}
              label={field.isRequired ? field.name : `${field.name} (may be left out)`}
              error={problems[field.name]}
              hint={hintOf(field)}
            >
              <Control
                field={field}
                text={texts[field.name] ?? ''}
                onText={(text) => setText(field.name, text)}
              />
            </Field>
          ))}
          {problems[whole] === undefined ? null : (
            <p className="field-error" role="alert">
              {problems[whole]}
            </p>
          )}
        </>
      )}
    </fieldset>
  )
}

function hintOf({ description, kind }: SchemaField): string | undefined {
  const how = kind === 'lines' ? 'One a line.' : kind === 'json' ? 'As JSON.' : undefined
  return [description, how].filter((part) => part !== undefined).join(' ') || undefined
}

function Control({
  field,
  text,
  onText,
}: {
  field: SchemaField
  text: string
  onText: (text: string) => void
}) {
  const onChange = ({ target }: { target: { value: string } }) => onText(target.value)
  switch (field.kind) {
    case 'choice':
    case 'boolean':
      return (
        <select value={text} onChange={onChange}>
          <option value="">{field.isRequired ? 'Choose…' : '–'}</option>
          {(field.kind === 'boolean' ? ['true', 'false'] : field.options).map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      )
    case 'lines':
    case 'json':
      return <textarea rows={4} spellCheck={false} value={text} onChange={onChange} />
    case 'number':
    case 'integer':
      return (
        <input
          inputMode={field.kind === 'integer' ? 'numeric' : 'decimal'}
          value={text}
          onChange={onChange}
        />
      )
    case 'text':
      return <input value={text} onChange={onChange} />
  }
}

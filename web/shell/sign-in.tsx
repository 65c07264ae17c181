/** Asks for an API key when the API wants one. The key is tried before it is kept. */
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { messageOf, problemOf } from '../api.ts'
import { signIn, useSession } from '../session.ts'
import { Button, Field } from '../ui/basics.tsx'
import { usePageTitle } from '../ui/page-title.ts'
import { BrandMark } from './nav.tsx'

export default function SignIn() {
  usePageTitle('Sign in')
  const { apiKey: refusedKey } = useSession()
  const queries = useQueryClient()
  const [apiKey, setApiKey] = useState('')
  const [problem, setProblem] = useState<string>()
  const [isBusy, setBusy] = useState(false)

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    setBusy(true)
    setProblem(undefined)
    try {
      const answer = await fetch('/v1/keys/self', { headers: { authorization: `Bearer ${apiKey.trim()}` } })
      if (!answer.ok) throw problemOf(await answer.text(), answer)
      queries.clear()
      signIn(apiKey.trim())
    } catch (error) {
      setProblem(error instanceof TypeError ? 'The server can’t be reached.' : messageOf(error))
      setBusy(false)
    }
  }

  return (
    <main className="sign-in">
      <form className="card sign-in-card" onSubmit={(event) => void submit(event)}>
        <BrandMark />
        <h1>Sign in</h1>
        <p className="lead">
          {refusedKey === null
            ? 'This server asks for an API key.'
            : 'The key is not accepted any more. It may have been revoked or have expired.'}
        </p>
        <Field label="API key" error={problem}>
          <input
            type="password"
            name="key"
            autoComplete="current-password"
            spellCheck={false}
            required
            placeholder="jsk_…"
            value={apiKey}
            onChange={(event) => setApiKey(event.target.value)}
          />
        </Field>
        <Button type="submit" look="primary" isBusy={isBusy}>
          Sign in
        </Button>
        <p className="field-hint">
          Keys are made with <code>bun run keys create NAME --scopes admin</code>; without scopes a key only
          looks. This one stays in this tab and is forgotten with it.
        </p>
      </form>
    </main>
  )
}

/** API keys: who has one and what it allows; made here, shown once, revoked for good. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { api, read } from '../../api.ts'
import { serverNow } from '../../server-clock.ts'
import { sendWith, signIn, useSession } from '../../session.ts'
import type { ApiKey, Scope } from '../../types.ts'
import { Allowed } from '../../ui/allowed.tsx'
import { Button, Card, Empty, Field, Foreign, Loaded, Page } from '../../ui/basics.tsx'
import { Checks } from '../../ui/checks.tsx'
import { type Column, DataTable } from '../../ui/data-table.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { FormEnd } from '../../ui/form-end.tsx'
import { CopyButton } from '../../ui/json.tsx'
import { say, sayFailure } from '../../ui/notices.ts'
import { Time } from '../../ui/time.tsx'

const keysKey = ['keys']
const scopes: { scope: Scope; allows: string }[] = [
  { scope: 'read', allows: 'to look at everything' },
  { scope: 'enqueue', allows: 'to start, change, cancel and retry jobs, and to upload videos' },
  { scope: 'admin', allows: 'everything' },
]

export function Keys() {
  return (
    <Allowed title="Keys" needs="admin">
      <All />
    </Allowed>
  )
}

function All() {
  const keys = useQuery({
    queryKey: keysKey,
    queryFn: () => read(api.v1.keys.$get()),
    select: (answer) => answer.keys.toReversed(),
  })
  const [isMaking, setMaking] = useState(false)
  return (
    <Page
      title="Keys"
      lead="Once there is one, every request needs one."
      actions={
        <Button needs="admin" icon="plus" look="primary" onClick={() => setMaking(true)}>
          New key
        </Button>
      }
    >
      <Card flush>
        <Loaded query={keys}>
          {(all) =>
            all.length === 0 ? (
              <Empty icon="keys" title="There are no keys yet.">
                Until there is one, the API is open to this machine and to nobody else.
              </Empty>
            ) : (
              <DataTable rows={all} columns={columns} keyOf={({ keyId }) => keyId} isOver={isOver} />
            )
          }
        </Loaded>
      </Card>
      {isMaking ? <NewKey isFirst={keys.data?.length === 0} onClose={() => setMaking(false)} /> : null}
    </Page>
  )
}

const columns: Column<ApiKey>[] = [
  {
    heading: 'Key',
    cell: ({ name, prefix }) => (
      <>
        <span className="name">
          <Foreign>{name}</Foreign>
        </span>
        <code className="id">{prefix}…</code>
      </>
    ),
  },
  {
    heading: 'Allows',
    cell: (key) =>
      key.scopes.map((scope) => (
        <span key={scope} className="tag">
          {scope}
        </span>
      )),
  },
  { heading: 'Made', isWide: true, cell: ({ createdAt }) => <Time at={createdAt} /> },
  {
    heading: 'Last used',
    isWide: true,
    cell: ({ lastUsedAt }) =>
      lastUsedAt === null ? <span className="faint">never</span> : <Time at={lastUsedAt} />,
  },
  { heading: 'State', cell: (key) => <State apiKey={key} /> },
  {
    heading: 'What can be done',
    kind: 'actions',
    isBrief: true,
    cell: (key) => (isOver(key) ? null : <Revoke apiKey={key} />),
  },
]

function State({ apiKey }: { apiKey: ApiKey }) {
  if (apiKey.revokedAt !== null) return <span className="tag tag-bad">revoked</span>
  if (apiKey.expiresAt === null) return <span className="tag tag-good">valid</span>
  return (
    <span className={isOver(apiKey) ? 'tag tag-bad' : 'tag tag-good'}>
      {isOver(apiKey) ? 'expired' : 'expires'} <Time at={apiKey.expiresAt} />
    </span>
  )
}

function isOver({ revokedAt, expiresAt }: ApiKey): boolean {
  return revokedAt !== null || (expiresAt !== null && Date.parse(expiresAt) <= serverNow())
}

function Revoke({ apiKey }: { apiKey: ApiKey }) {
  const queries = useQueryClient()
  const [isAsking, setAsking] = useState(false)
  const revoke = useMutation({
    mutationFn: () => read(api.v1.keys[':keyId'].revoke.$post({ param: { keyId: apiKey.keyId } })),
    onSuccess: ({ name }) => say(`The key ${name} is revoked.`),
    onError: (error) => sayFailure('It could not be revoked.', error),
    onSettled: () => queries.invalidateQueries({ queryKey: keysKey }),
  })
  return (
    <>
      <Button
        needs="admin"
        look="quiet"
        icon="trash"
        isBusy={revoke.isPending}
        onClick={() => setAsking(true)}
      >
        Revoke
      </Button>
      <Confirm
        title={`Revoke the key ${apiKey.name}?`}
        text="Who uses it is refused within five seconds. A revoked key can’t come back."
        action="Revoke it"
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        onConfirm={() => revoke.mutate()}
      />
    </>
  )
}

function NewKey({ isFirst, onClose }: { isFirst: boolean; onClose: () => void }) {
  const queries = useQueryClient()
  const session = useSession()
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<Scope[]>(isFirst ? ['admin'] : ['read'])
  const [days, setDays] = useState('')
  const make = useMutation({
    mutationFn: () =>
      read(
        api.v1.keys.$post({
          json: { name, scopes: chosen, ...(days === '' ? {} : { expiresInDays: Number(days) }) },
        }),
      ),
    onSuccess: ({ secret }) => {
      // Without a key of its own this page would be shut out by the first that it makes, and the secret lost with it.
      if (session.apiKey === null) sendWith(secret)
    },
  })

  function finish(): void {
    if (make.data !== undefined && session.apiKey === null) signIn(make.data.secret)
    void queries.invalidateQueries({ queryKey: keysKey })
    onClose()
  }

  function submit(event: FormEvent): void {
    event.preventDefault()
    make.mutate()
  }

  if (make.data !== undefined) {
    return (
      <Dialog
        title="Keep this key"
        description="It is shown this once. The server keeps only its hash."
        isOpen
        isKept
        onClose={finish}
      >
        <p className="secret">
          <code>{make.data.secret}</code>
          <CopyButton text={make.data.secret} label="Copy the key" />
        </p>
        {session.apiKey === null ? (
          <p>From now on a key is needed; this page goes on with this one.</p>
        ) : null}
        <div className="dialog-actions">
          <Button look="primary" onClick={finish}>
            I have it
          </Button>
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog title="New key" isOpen onClose={onClose}>
      <form className="form" onSubmit={submit}>
        {isFirst ? (
          <p className="hint">
            This is the first key: from then on every request needs one. It should be able to make others, so
            it is for admin.
          </p>
        ) : null}
        <Field label="Name" hint="Whose it is, or what for.">
          <input required maxLength={100} value={name} onChange={({ target }) => setName(target.value)} />
        </Field>
        <Checks
          title="Allows"
          words={scopes.map(({ scope, allows }) => ({
            word: scope,
            label: (
              <>
                <strong>{scope}</strong> <span className="faint">{allows}</span>
              </>
            ),
          }))}
          chosen={chosen}
          onChoice={setChosen}
        />
        <Field label="Expires in days" hint="Left out: never.">
          <input
            type="number"
            min={1}
            max={36_500}
            value={days}
            onChange={({ target }) => setDays(target.value)}
          />
        </Field>
        <FormEnd
          error={make.error}
          action="Make the key"
          needs="admin"
          isBusy={make.isPending}
          isDisabled={chosen.length === 0}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  )
}

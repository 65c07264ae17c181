/** One upload: how far it is, and what can be done with it. */
import { Link } from '@tanstack/react-router'
import { useRef } from 'react'
import { Button, Foreign, Meter } from '../../ui/basics.tsx'
import { bytes } from '../../ui/format.ts'
import type { ShownUpload } from './upload-list.ts'
import { continueUpload, dropUpload, pauseUpload, resumeUpload } from './uploads.ts'

const states = {
  uploading: 'Uploading',
  paused: 'Paused',
  interrupted: 'Interrupted',
  checking: 'Checking',
  done: 'Arrived',
  failed: 'Failed',
  over: 'Given up',
} as const satisfies Record<ShownUpload['state'], string>

export function UploadRow({ upload }: { upload: ShownUpload }) {
  const { name, sizeBytes, sentBytes, state, problem } = upload
  const part = sizeBytes === 0 ? 0 : sentBytes / sizeBytes
  return (
    <li className="upload">
      <span className="upload-name">
        <Foreign>{name}</Foreign>
        <span className="aside">
          {states[state]} · {bytes(sentBytes)} of {bytes(sizeBytes)}
          {state === 'interrupted' ? ' · choose the same file to go on' : ''}
        </span>
        {problem === null ? null : (
          <span className="field-error" role="alert">
            {problem}
          </span>
        )}
      </span>
      <Meter part={part} label={`${name}: ${Math.round(part * 100)} %`} />
      <span className="number">{Math.round(part * 100)} %</span>
      <span className="upload-actions">
        <Actions upload={upload} />
      </span>
    </li>
  )
}

function Actions({ upload: { id, name, state, jobId } }: { upload: ShownUpload }) {
  const isOver = state === 'done' || state === 'over'
  return (
    <>
      {jobId === null ? null : (
        <Link to="/videos/$jobId" params={{ jobId }}>
          Show it
        </Link>
      )}
      {state === 'interrupted' ? <ChooseAgain id={id} name={name} /> : null}
      {state === 'uploading' ? (
        <Button
          look="quiet"
          icon="pause"
          aria-label={`Pause ${name}`}
          title="Pause"
          onClick={() => pauseUpload(id)}
        />
      ) : null}
      {state === 'paused' || state === 'failed' ? (
        <Button
          look="quiet"
          icon="play"
          needs="enqueue"
          aria-label={`Go on with ${name}`}
          title="Go on"
          onClick={() => resumeUpload(id)}
        />
      ) : null}
      <Button
        look="quiet"
        icon="close"
        aria-label={isOver ? `Take ${name} off the list` : `Give up ${name}`}
        title={isOver ? 'Off the list' : 'Give up'}
        onClick={() => dropUpload(id)}
      />
    </>
  )
}

/** Pages may not read a file by its name: people have to point at it once more. */
function ChooseAgain({ id, name }: { id: number; name: string }) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <Button needs="enqueue" onClick={() => input.current?.click()}>
        Choose file
      </Button>
      <input
        ref={input}
        type="file"
        className="unseen"
        tabIndex={-1}
        aria-label={`${name} again`}
        onChange={({ target }) => {
          const [file] = target.files ?? []
          if (file !== undefined) void continueUpload(id, file)
          target.value = ''
        }}
      />
    </>
  )
}

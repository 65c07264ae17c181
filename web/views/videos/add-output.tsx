/** Asks for another output of a video, of what its source allows. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Field } from '../../ui/basics.tsx'
import { Checks } from '../../ui/checks.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { FormEnd } from '../../ui/form-end.tsx'
import { say } from '../../ui/notices.ts'
import {
  type Addition,
  addOutputs,
  type CodecName,
  codecNames,
  type FormatName,
  formats,
  heightsWithin,
} from './requests.ts'

type Picture = 'poster' | 'storyboard' | 'thumbnails'
const pictures: { word: Picture; label: string }[] = [
  { word: 'storyboard', label: 'Storyboard' },
  { word: 'poster', label: 'Poster' },
  { word: 'thumbnails', label: 'Five thumbnails' },
]
const thumbnails = 5
/** Where nothing is known of the source. */
const usualLines = 1080

/** @param sourceLines as `linesOf` counts them */
export function AddOutput({
  videoId,
  sourceLines = usualLines,
  onClose,
}: {
  videoId: string
  sourceLines?: number | undefined
  onClose: () => void
}) {
  const queries = useQueryClient()
  const [format, setFormat] = useState<FormatName | 'none'>('mp4')
  const [codec, setCodec] = useState<CodecName>('h264')
  const [height, setHeight] = useState(sourceLines)
  const [chosen, setChosen] = useState<Picture[]>([])
  const add = useMutation({
    mutationFn: (addition: Addition) => addOutputs(videoId, addition),
    onSuccess: () => {
      say('The outputs are queued for encoding.')
      onClose()
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['video', videoId] }),
  })
  const codecs: readonly CodecName[] = format === 'none' ? [] : formats[format].codecs
  const chooseFormat = (next: FormatName | 'none') => {
    setFormat(next)
    if (next !== 'none' && !formats[next].codecs.some((each) => each === codec))
      setCodec(formats[next].codecs[0])
  }
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    add.mutate({
      outputs: format === 'none' ? [] : [{ format, codec, height }],
      ...(chosen.includes('poster') ? { poster: true } : {}),
      ...(chosen.includes('storyboard') ? { storyboard: true } : {}),
      ...(chosen.includes('thumbnails') ? { thumbnails } : {}),
    })
  }
  return (
    <Dialog
      title="Add an output"
      description="It is made from the source that was kept. What has the same name is replaced."
      isOpen
      onClose={onClose}
    >
      <form className="form" onSubmit={onSubmit}>
        <Field label="Video">
          <select value={format} onChange={({ target }) => chooseFormat(target.value as FormatName | 'none')}>
            {Object.entries(formats).map(([each, { name }]) => (
              <option key={each} value={each}>
                {name}
              </option>
            ))}
            <option value="none">Pictures only</option>
          </select>
        </Field>
        {format === 'none' ? null : (
          <>
            <Field label="Codec">
              <select value={codec} onChange={({ target }) => setCodec(target.value as CodecName)}>
                {codecs.map((each) => (
                  <option key={each} value={each}>
                    {codecNames[each]}
                  </option>
                ))}
              </select>
            </Field>
            <Field label="Size">
              <select value={height} onChange={({ target }) => setHeight(Number(target.value))}>
                {heightsWithin(sourceLines).map((each) => (
                  <option key={each} value={each}>
                    {each}p
                  </option>
                ))}
              </select>
            </Field>
          </>
        )}
        <Checks title="Pictures" words={pictures} chosen={chosen} onChoice={setChosen} />
        <FormEnd
          error={add.error}
          action="Add it"
          needs="enqueue"
          isBusy={add.isPending}
          isDisabled={format === 'none' && chosen.length === 0}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  )
}

/** Some of several words, each with a box to tick. */
import type { ReactNode } from 'react'

export function Checks<Word extends string>({
  title,
  words,
  chosen,
  onChoice,
}: {
  title: string
  words: { word: Word; label: ReactNode }[]
  chosen: Word[]
  onChoice: (chosen: Word[]) => void
}) {
  return (
    <fieldset className="checks">
      <legend className="field-label">{title}</legend>
      {words.map(({ word, label }) => (
        <label key={word} className="check">
          <input
            type="checkbox"
            checked={chosen.includes(word)}
            onChange={({ target }) =>
              onChoice(target.checked ? [...chosen, word] : chosen.filter((each) => each !== word))
            }
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  )
}

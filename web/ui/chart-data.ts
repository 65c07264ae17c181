/** What a chart is made of, and what of it is drawn where. */

/** Times in seconds since 1970, then a row for each line; null: nothing is known. */
export type ChartData = [number[], ...(number | null)[][]]

export interface Line {
  label: string
  /** Name of a custom property, without the dashes. */
  colour: string
  look?: 'line' | 'dashed' | 'bars'
  /** Its bars stand on those of the line with this label, which comes behind it and is drawn over it. */
  above?: string
}

/** As high as each line is drawn: a bar that stands on another reaches up from the ground, behind that. */
export function stacked([times, ...rows]: ChartData, lines: Line[]): ChartData {
  const drawn = rows.map((row, line) => {
    const below = rows[lines.findIndex(({ label }) => label === lines[line]?.above)]
    return below === undefined
      ? row
      : row.map((value, at) => (value === null ? null : value + (below[at] ?? 0)))
  })
  return [times, ...drawn]
}

/** Line by line, in words. */
export function valuesAt(
  at: number,
  [, ...rows]: ChartData,
  lines: Line[],
  format: (value: number) => string,
): string[] {
  return lines.map(({ label }, line) => {
    const value = rows[line]?.[at]
    return `${label} ${value == null ? '–' : format(value)}`
  })
}

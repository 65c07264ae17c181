/** A chart over time: uPlot, in the colours of the theme, as wide as its place. */
import { type RefObject, useEffect, useRef } from 'react'
import uPlot from 'uplot'
import { serverNow } from '../server-clock.ts'
import { useShownTheme } from '../shell/theme.ts'
import { type ChartData, type Line, stacked, valuesAt } from './chart-data.ts'

export interface ChartProps {
  /** What it shows, for who can't see it. */
  label: string
  data: ChartData
  lines: Line[]
  format(value: number): string
  /** The time that is shown, whatever there is of it. */
  spanSeconds: number
}

type Latest = RefObject<Pick<ChartProps, 'data' | 'format'>>

const height = 168

export function Chart({ label, data, lines, format, spanSeconds }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  const theme = useShownTheme()
  const latest = useRef({ data, format })
  latest.current = { data, format }

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme decides what the colours are
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const made = new uPlot(
      optionsFor(element, lines, latest, spanSeconds),
      stacked(latest.current.data, lines) as uPlot.AlignedData,
      element,
    )
    chart.current = made
    const resize = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    resize.observe(element)
    return () => {
      resize.disconnect()
      made.destroy()
    }
  }, [theme, lines, spanSeconds])

  useEffect(() => {
    chart.current?.setData(stacked(data, lines) as uPlot.AlignedData)
  }, [data, lines])

  return (
    <figure className="chart">
      <figcaption className="legend">
        {lines.map((line) => (
          <span key={line.label} className={`legend-${line.look ?? 'line'} colour-${line.colour}`}>
            {line.label}
          </span>
        ))}
      </figcaption>
      <div ref={place} role="img" aria-label={label} />
    </figure>
  )
}

function optionsFor(element: HTMLElement, lines: Line[], latest: Latest, spanSeconds: number): uPlot.Options {
  const format = (value: number) => latest.current.format(value)
  const style = getComputedStyle(element)
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('ink-3'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
  }
  return {
    width: element.clientWidth,
    height,
    // At the right there is room for half of a time below the last bar.
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false } },
    scales: {
      x: { time: true, range: () => rangeUntilNow(spanSeconds) },
      y: { range: (_chart, _low, high) => [0, high > 0 ? high * 1.1 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 70, values: (_chart, times) => times.map(clock) },
      { ...axis, size: 52, space: 36, values: (_chart, values) => values.map(format) },
    ],
    plugins: [tooltip(lines, latest)],
    series: [
      {},
      ...lines.map(({ label, colour: name, look = 'line' }) => ({
        label,
        stroke: colour(name),
        width: look === 'bars' ? 0 : 1.75,
        points: { show: look !== 'bars', size: 4, fill: colour(name) },
        ...(look === 'dashed' ? { dash: [4, 3] } : {}),
        ...(look === 'bars'
          ? { fill: colour(name), paths: uPlot.paths.bars?.({ size: [0.7, 14], radius: 0.15 }) }
          : {}),
      })),
    ],
  }
}

/** With a little room at its end, so that the last bar is whole. */
function rangeUntilNow(spanSeconds: number): [number, number] {
  const end = serverNow() / 1000 + spanSeconds / 100
  return [end - spanSeconds, end]
}

/** The values under the pointer, each by itself, whatever it stands on. */
function tooltip(lines: Line[], latest: Latest): uPlot.Plugin {
  const box = document.createElement('div')
  box.className = 'chart-tip'
  box.hidden = true
  return {
    hooks: {
      init: (chart) => {
        chart.over.append(box)
        chart.over.addEventListener('mouseleave', () => {
          box.hidden = true
        })
      },
      setCursor: (chart) => {
        const { idx, left = 0 } = chart.cursor
        const { data, format } = latest.current
        const time = idx == null ? undefined : data[0][idx]
        if (idx == null || time === undefined || left < 0) return
        box.textContent = [clock(time), ...valuesAt(idx, data, lines, format)].join('\n')
        box.hidden = false
        const isRight = left > chart.over.clientWidth / 2
        box.style.left = isRight ? '' : `${left + 10}px`
        box.style.right = isRight ? `${chart.over.clientWidth - left + 10}px` : ''
      },
    },
  }
}

function clock(time: number): string {
  return new Date(time * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
}

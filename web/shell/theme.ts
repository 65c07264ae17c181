/** Light, dark, or as the system has it; kept in this browser. */
import { useSyncExternalStore } from 'react'

const themes = ['system', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

const storageKey = 'job-server.theme'
const listeners = new Set<() => void>()
const systemIsDark = matchMedia('(prefers-color-scheme: dark)')

let theme = kept()
apply()
systemIsDark.addEventListener('change', announce)

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, () => theme)
}

/** What is shown: for drawings that don't follow style sheets. */
export function useShownTheme(): 'light' | 'dark' {
  return useSyncExternalStore(subscribe, () =>
    theme === 'system' ? (systemIsDark.matches ? 'dark' : 'light') : theme,
  )
}

export function nextTheme(): void {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system'
  localStorage.setItem(storageKey, theme)
  apply()
  announce()
}

function kept(): Theme {
  const found = localStorage.getItem(storageKey)
  return themes.find((name) => name === found) ?? 'system'
}

function apply(): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}

function announce(): void {
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

import { CommandFailure } from './exit.ts'
import type { Command } from 'commander'

const shells = ['bash', 'zsh', 'fish'] as const

/** A completion script for a shell, made from the commands. Names of commands and options are ours: nothing in it comes from a server. */
function completionScript(program: Command, kind: string): string {
  const words = wordsByPath(program)
  if (kind === 'bash') return bash(words)
  if (kind === 'zsh') return `#compdef capstan\nautoload -U +X bashcompinit && bashcompinit\n${bash(words)}`
  if (kind === 'fish') return fish(words)
  throw new CommandFailure('usage', `There is no completion for "${kind}". Use one of ${shells.join(', ')}.`)
}

// `''`, `user`, `user create` → the words that may come next.
function wordsByPath(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>()
  const walk = (command: Command, path: string) => {
    const options = command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => (long ? [long] : []))
    words.set(path, [...command.commands.map((child) => child.name()), ...options, '--help'])
    for (const child of command.commands) walk(child, path === '' ? child.name() : `${path} ${child.name()}`)
  }
  walk(program, '')
  return words
}

function bash(words: ReadonlyMap<string, readonly string[]>): string {
  const cases = [...words].map(([path, next]) => `    '${path}') next='${next.join(' ')}' ;;`)
  return `_capstan() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' word next=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) break ;; esac
    [ "$(printf '%s' "$path" | wc -w)" -ge 2 ] && break
    path="\${path:+$path }$word"
  done
  case "$path" in
${cases.join('\n')}
    *) next='' ;;
  esac
  COMPREPLY=($(compgen -W "$next" -- "$current"))
}
complete -o default -F _capstan capstan
`
}

function fish(words: ReadonlyMap<string, readonly string[]>): string {
  const lines = [...words].flatMap(([path, next]) => {
    const [noun = '', verb] = path.split(' ')
    const condition =
      path === ''
        ? '__fish_use_subcommand'
        : verb === undefined
          ? `__fish_seen_subcommand_from ${noun}`
          : `__fish_seen_subcommand_from ${noun}; and __fish_seen_subcommand_from ${verb}`
    return next.map((word) => `complete -c capstan -n '${condition}' ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`}`)
  })
  return `${lines.join('\n')}\n`
}

export { completionScript }

/** `countersign completion`: a script that completes commands and options in a shell. */
import { Argument, type Command } from 'commander';
import { print } from '../output.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print a script that completes commands and options.')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  $ countersign completion bash > /etc/bash_completion.d/countersign
  $ countersign completion zsh > "\${fpath[1]}/_countersign"
  $ countersign completion fish > ~/.config/fish/completions/countersign.fish`,
    )
    .action((shell: Shell) => print(SCRIPTS[shell](wordsOf(program))));
}

/** What may follow each command; the command itself is a path such as `webhooks ls`, the program ''. */
function wordsOf(program: Command): ReadonlyMap<string, readonly Word[]> {
  const words = new Map<string, readonly Word[]>();
  const visit = (command: Command, path: string): void => {
    const options = command.options.flatMap(({ long, description }) =>
      long ? [{ text: long, description }] : [],
    );
    const commands = command.commands.map((each) => ({ text: each.name(), description: each.description() }));
    const choices = command.registeredArguments.flatMap(({ argChoices = [] }) =>
      argChoices.map((text) => ({ text, description: '' })),
    );
    words.set(path, [
      ...commands,
      ...choices,
      ...options,
      { text: '--help', description: 'explain the command' },
    ]);
    for (const each of command.commands) visit(each, path === '' ? each.name() : `${path} ${each.name()}`);
  };
  visit(program, '');
  return words;
}

interface Word {
  readonly text: string;
  readonly description: string;
}

const texts = (words: readonly Word[]) => words.map(({ text }) => text).join(' ');

const SCRIPTS: Readonly<Record<Shell, (words: ReadonlyMap<string, readonly Word[]>) => string>> = {
  bash: (words) => `# bash completion of countersign
_countersign() {
  local word path="" current="\${COMP_WORDS[COMP_CWORD]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${paths(words)}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${[...words].map(([path, each]) => `    "${path}") COMPREPLY=($(compgen -W "${texts(each)}" -- "$current")) ;;`).join('\n')}
  esac
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _countersign countersign`,

  zsh: (words) => `#compdef countersign
_countersign() {
  local word found=""
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${found:+$found }$word" in
      ${paths(words)}) found="\${found:+$found }$word" ;;
    esac
  done
  case "$found" in
${[...words].map(([path, each]) => `    "${path}") compadd -- ${texts(each)} ;;`).join('\n')}
  esac
  _files
}
compdef _countersign countersign`,

  fish: (words) => {
    const lines = [...words].flatMap(([path, each]) => {
      const parts = path.split(' ').filter((part) => part !== '');
      const seen = parts.map((part) => `__fish_seen_subcommand_from ${part}`).join('; and ');
      const condition = seen || '__fish_use_subcommand';
      return each.map(({ text, description }) => {
        const what = text.startsWith('--') ? `-l ${text.slice(2)}` : `-a ${text}`;
        return `complete -c countersign -n '${condition}' ${what} -d '${description.replaceAll("'", "\\'")}'`;
      });
    });
    return `# fish completion of countersign\n${lines.join('\n')}`;
  },
};

/** All paths but that of the program, as a pattern of case. */
function paths(words: ReadonlyMap<string, readonly Word[]>): string {
  return [...words.keys()]
    .filter((path) => path !== '')
    .map((path) => `"${path}"`)
    .join('|');
}

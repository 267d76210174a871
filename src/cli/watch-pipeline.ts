import { isEnd } from '../core/kernel/run-state.ts'
import { callOperation } from './client.ts'
import { oneLineJson } from './follow.ts'
import { endAs, interruptible, lookUntil } from './look.ts'
import { changesOf, pipelineOf, pipelineTree, redraw, takeBack } from './pipeline-tree.ts'
import type { RunState } from '../core/kernel/run-state.ts'
import type { Server } from './client.ts'
import type { ShownPipeline } from './pipeline-tree.ts'
import type { Terminal } from './terminal.ts'

/**
 * Shows a pipeline until it has ended, and fails unless it has succeeded: as a tree that is drawn again in place on a screen, otherwise as one line for each
 * change, or with `json` the whole pipeline for each change.
 */
async function watchPipeline(terminal: Terminal, server: Server, pipeline: string, { json }: { json: boolean }): Promise<void> {
  let starting = false
  const view = json ? jsonView(terminal) : terminal.screen ? treeView(terminal) : lineView(terminal)
  try {
    const end = await interruptible(terminal, 'Left; the pipeline goes on. "capstan pipeline kill" ends it.', (signal) =>
      lookUntil({
        server,
        signal,
        passing: () => starting,
        look: async () => {
          const output = await callOperation(server, 'pipeline.get', { pipeline }, { signal })
          const shown = pipelineOf(output)
          view.show(shown, output)
          starting = shown.tasks.some(({ state }) => state === 'starting')
          return isEnd(shown.state as RunState) ? output : null // a state that is none would be one of a newer server
        },
      }),
    )
    view.close()
    endAs('The pipeline', end)
  } finally {
    view.close()
  }
}

type PipelineView = { show(pipeline: ShownPipeline, output: unknown): void; close(): void }

function jsonView(terminal: Terminal): PipelineView {
  let last = ''
  const show = (_: ShownPipeline, output: unknown) => {
    const line = oneLineJson(output)
    if (line !== last) terminal.out(line)
    last = line
  }
  return { show, close: () => {} }
}

function lineView(terminal: Terminal): PipelineView {
  let before: ShownPipeline | null = null
  const show = (pipeline: ShownPipeline) => {
    for (const line of changesOf(before, pipeline)) terminal.out(`${line}\n`)
    before = pipeline
  }
  return { show, close: () => {} }
}

// Once a second as well, because times go on where nothing changes.
function treeView(terminal: Terminal): PipelineView {
  let shown: ShownPipeline | null = null
  let drawn = 0
  const draw = () => {
    if (!shown || !terminal.screen) return
    const next = redraw(pipelineTree(shown, Date.now()), drawn, terminal.screen)
    drawn = next.drawn
    terminal.out(next.text)
  }
  const clock = setInterval(draw, 1000)
  return {
    show(pipeline) {
      shown = pipeline
      draw()
    },
    close() {
      clearInterval(clock)
      // What stays is the whole of it, also what did not fit while it was redrawn.
      if (shown)
        terminal.out(
          takeBack(drawn) +
            pipelineTree(shown, Date.now())
              .map((line) => `${line}\n`)
              .join(''),
        )
      shown = null
    },
  }
}

export { watchPipeline }

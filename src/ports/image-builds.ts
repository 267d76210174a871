import type { Runtime } from './runtime.ts'

/**
 * What makes the images of tasks ready to be run (Deploy API §6.2, §13): one that exists is taken as it is, one with a destination is built of the files of
 * `code/` and pushed there. A runtime that runs programs gets no image of the second sort: it runs the files themselves, and nobody asks here.
 */
type ImageBuilds = {
  /**
   * Why an image cannot be made ready for a runtime, in words that go on after "… is not supported: "; null: it can. Asked before a task is accepted, so that
   * nothing is recorded that can never start; quick, and without reaching outside.
   */
  refusal(wanted: WantedImage, runtime: BuildTarget): string | null

  /**
   * Makes the image ready and gives the reference to run. An image that was built of the same tree for the same destination is found again and not built a
   * second time. Called right before each start. Throws `StartError`: with `retry` where trying again can help, its message for whoever deployed the task.
   */
  prepare(wanted: WantedImage, runtime: BuildTarget, options: { signal: AbortSignal }): Promise<string>
}

type WantedImage =
  | { readonly kind: 'existing'; readonly image: string }
  | {
      readonly kind: 'built'
      readonly destination: string
      /** The build context: its git tree, which tells equal ones apart from others, and what puts its files into an empty folder. */
      readonly code: { readonly tree: string; readonly put: (folder: string) => Promise<void> } | null
    }

/** Who will run it. */
type BuildTarget = Pick<Runtime, 'name' | 'capabilities'>

export type { ImageBuilds, WantedImage, BuildTarget }

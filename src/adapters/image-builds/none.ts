import { StartError } from '../../ports/runtime.ts'
import type { ImageBuilds, WantedImage, BuildTarget } from '../../ports/image-builds.ts'

/** Builds nothing, and says what is needed for it. An image that exists goes to a runtime that runs images as it is. */
function noImageBuilds(): ImageBuilds {
  return {
    refusal,
    async prepare(wanted, runtime) {
      const why = refusal(wanted, runtime)
      // It was accepted when this server could do more.
      if (why !== null || wanted.kind === 'built') throw new StartError(`The image cannot be made ready: ${why}.`, { retry: false })
      return wanted.image
    },
  }
}

function refusal(wanted: WantedImage, { name, capabilities }: BuildTarget): string | null {
  if (wanted.kind === 'built') return 'building it needs a Docker or Kubernetes runtime, and this server has none'
  return capabilities.images ? null : `it needs a Docker or Kubernetes runtime, and the runtime "${name}" runs programs`
}

export { noImageBuilds }

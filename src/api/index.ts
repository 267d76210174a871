import { codeViews } from './code-views/index.ts'
import { datatask } from './datatask/index.ts'
import { gitHttp } from './git-http/index.ts'
import { health } from './health/index.ts'
import { hgHttp } from './hg-http/index.ts'
import { home } from './home/index.ts'
import { kallithea } from './kallithea/index.ts'
import { komand } from './komand/index.ts'
import { native } from './native/index.ts'
import type { Api } from './api.ts'

/** Every API of the one listener. A new one is a folder and a line here. */
export const apis: readonly Api[] = [home, health, native, datatask, komand, kallithea, codeViews, gitHttp, hgHttp]

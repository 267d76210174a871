import type { Case, Provoked } from './contract-cases.suite.ts'
import type { World } from './contract-world.suite.ts'

const files = { 'notes.md': { content: 'x', lexer: null } }
const noGist = 'gist `{gistid}` does not exist'
const made = async ({ lab, root }: World) => (await lab.result(root, 'create_gist', { files, gist_type: 'private' })).gist

/** What the methods of gists are called with. */
export const gistCases: Readonly<Record<string, Case>> = {
  get_gist: {
    good: async (world) => ({ args: { gistid: (await made(world)).access_id } }),
    errors: { [noGist]: async (): Promise<Provoked> => ({ args: { gistid: 99_999 } }) },
  },
  get_gists: {
    good: async (world) => {
      await made(world)
      return { args: {} }
    },
    errors: {
      'userid is not the same as your user': async (world) => ({ args: { userid: world.ann.name }, as: world.ann }),
      'user `{userid}` does not exist': async () => ({ args: { userid: 'nobody' } }),
    },
  },
  create_gist: {
    good: async (world) => ({ args: { files, owner: world.ann.name, gist_type: 'private', lifetime: '10', description: 'why' } }),
    errors: {
      'user `{owner}` does not exist': async () => ({ args: { files, owner: 'nobody' } }),
      'failed to create gist': async () => ({ args: { files: { '../notes.md': { content: 'x' } } } }),
    },
  },
  delete_gist: {
    good: async (world) => {
      const { gist_id, access_id } = await made(world)
      return { args: { gistid: gist_id }, words: { access_id } }
    },
    errors: {
      [noGist]: async () => ({ args: { gistid: 'none' } }),
      'failed to delete gist ID:{access_id}': { unprovoked: 'needs a store that fails' },
    },
  },
}

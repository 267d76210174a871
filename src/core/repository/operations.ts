import { applyPermissions } from './apply-permissions.ts'
import { archiveRepository } from './archive.ts'
import { commitFilesToRepository } from './commit-files.ts'
import { commentCommit, listCommitComments } from './commit-comment.ts'
import { listCommits } from './commits.ts'
import { createRepository, forkRepository } from './create.ts'
import { deleteRepository } from './delete.ts'
import { getDifference } from './difference.ts'
import { followOperations } from './follow.ts'
import { getFile, listFiles, listTree } from './files.ts'
import { createGroup, deleteGroup, getGroup, listGroups, updateGroup } from './group.ts'
import { getCommit, listHistory } from './history.ts'
import { listKinds } from './kinds.ts'
import { locateGroup, locateRepository } from './locate.ts'
import { listMembersOfRepository } from './members.ts'
import { listProtectedBranches, protectBranch, unprotectBranch } from './protection.ts'
import { listPushes, pushRepository } from './push.ts'
import { readFile } from './raw-file.ts'
import { getRepository, listRepositories } from './read.ts'
import { refreshRepository } from './refresh.ts'
import { readHg } from './hg-transfer.ts'
import { rescanRepositories } from './rescan.ts'
import { listBookmarks, listBranches, listTags } from './refs.ts'
import { advertiseRefs, uploadPack } from './transfer.ts'
import { updateRepository } from './update.ts'
import { pullRepository } from '../mirror/pull.ts'
import type { AnyOperation } from '../operation/operation.ts'

/** Everything that can be done with a repository. */
const repositoryOperations: readonly AnyOperation[] = [
  createRepository,
  getRepository,
  listRepositories,
  updateRepository,
  deleteRepository,
  forkRepository,
  locateRepository,
  refreshRepository,
  rescanRepositories,
  listKinds,
  listMembersOfRepository,
  ...followOperations,
  listBranches,
  listTags,
  listBookmarks,
  listCommits,
  listHistory,
  getCommit,
  commentCommit,
  listCommitComments,
  protectBranch,
  unprotectBranch,
  listProtectedBranches,
  getFile,
  listFiles,
  listTree,
  readFile,
  getDifference,
  archiveRepository,
  listPushes,
  advertiseRefs,
  uploadPack,
  readHg,
  pushRepository,
  pullRepository,
  commitFilesToRepository,
]

/** Everything that can be done with a group of repositories. */
const repositoryGroupOperations: readonly AnyOperation[] = [
  createGroup,
  getGroup,
  listGroups,
  updateGroup,
  deleteGroup,
  applyPermissions,
  locateGroup,
]

export { repositoryOperations, repositoryGroupOperations }

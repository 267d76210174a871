/** `plugin.spec.yaml` of the plugin. */
const gitSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: git
title: Git
description: Reads and changes repositories of this server as whoever started the job
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [git, repository]
types:
  file_change:
    path: {type: string, required: true, title: Path}
    text: {type: string, required: false, title: Text, description: The content as text}
    base64: {type: bytes, required: false, title: Base64, description: The content as bytes}
    executable: {type: boolean, required: false, title: Executable}
    delete: {type: boolean, required: false, title: Delete}
  file_entry:
    path: {type: string, required: true, title: Path}
    type: {type: string, required: true, title: Type, enum: [file, folder, link, submodule]}
    size: {type: integer, required: false, title: Size}
actions:
  read_file:
    title: Read a file
    description: Gives the content of a file at a revision
    input:
      repository: {type: string, required: true, title: Repository, example: lab/weather}
      path: {type: string, required: true, title: Path, example: README.md}
      revision: {type: string, required: false, title: Revision, description: "A branch, tag or commit; the default branch when empty"}
    output:
      content: {type: string, title: Content}
      encoding: {type: string, title: Encoding, description: "base64 where the content is no UTF-8, else utf-8"}
      size: {type: integer, title: Size}
      commit: {type: string, title: Commit}
  list_files:
    title: List files
    description: Lists what is in a folder at a revision
    input:
      repository: {type: string, required: true, title: Repository}
      path: {type: string, required: false, title: Path, description: The folder; the top one when empty}
      revision: {type: string, required: false, title: Revision}
      recursive: {type: boolean, required: false, title: Recursive}
    output:
      files: {type: "[]file_entry", title: Files}
      count: {type: integer, title: Count}
      commit: {type: string, title: Commit, description: Empty while the repository is}
  list_commits:
    title: List commits
    description: Lists the commits that lead to a revision, newest first
    input:
      repository: {type: string, required: true, title: Repository}
      revision: {type: string, required: false, title: Revision}
      limit: {type: integer, required: false, title: Limit, default: 20, description: "1 to 1000"}
    output:
      commits: {type: "[]object", title: Commits, description: "Each with id, parents, author, committer and message"}
      count: {type: integer, title: Count}
  commit_files:
    title: Commit files
    description: Makes a commit from whole files on a branch; what is not named stays as it is
    input:
      repository: {type: string, required: true, title: Repository}
      branch: {type: string, required: false, title: Branch, description: The default branch when empty; one that does not exist is made}
      parent: {type: string, required: false, title: Parent, description: The commit that the branch must be at; anything when empty}
      message: {type: string, required: true, title: Message}
      files: {type: "[]file_change", required: true, title: Files}
    output:
      commit: {type: string, title: Commit}
      branch: {type: string, title: Branch}
      parent: {type: string, title: Parent, description: Empty for a first commit}
`

export { gitSpec }

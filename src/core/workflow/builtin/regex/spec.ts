/** `plugin.spec.yaml` of the plugin. */
const regexSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: regex
title: Regular expressions
description: Finds, replaces and splits by patterns in the syntax of RE2, which never take long
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, regex]
types:
  match:
    match: {type: string, required: true, title: Match}
    start: {type: integer, required: true, title: Start, description: Where it begins, in UTF-16 units}
    groups: {type: "[]string", required: true, title: Groups, description: Of a group that took no part the empty text}
    named: {type: object, required: true, title: Named groups}
actions:
  match:
    title: Match
    description: Finds a pattern in a text
    input:
      text: {type: string, required: true, title: Text, description: At most 1 MiB}
      pattern: {type: string, required: true, title: Pattern, example: "(?P<user>\\\\w+)@(\\\\S+)"}
      ignore_case: {type: boolean, required: false, title: Ignore case}
      limit: {type: integer, required: false, title: Limit, default: 1000, description: The most matches}
    output:
      found: {type: boolean, title: Found}
      matches: {type: "[]match", title: Matches}
      count: {type: integer, title: Count}
  replace:
    title: Replace
    description: Replaces what a pattern finds
    input:
      text: {type: string, required: true, title: Text, description: At most 1 MiB}
      pattern: {type: string, required: true, title: Pattern}
      replace_with: {type: string, required: false, title: Replace with, description: "$1 or \${name} stands for a group, $0 for all, $$ for a dollar sign"}
      ignore_case: {type: boolean, required: false, title: Ignore case}
      limit: {type: integer, required: false, title: Limit, description: How often at most; 0 is up to 100000 times}
    output:
      text: {type: string, title: Text}
      count: {type: integer, title: Count}
  split:
    title: Split
    description: Splits a text wherever a pattern is found
    input:
      text: {type: string, required: true, title: Text, description: At most 1 MiB}
      pattern: {type: string, required: true, title: Pattern}
      ignore_case: {type: boolean, required: false, title: Ignore case}
      skip_empty: {type: boolean, required: false, title: Skip empty, description: Leave empty parts out}
    output:
      items: {type: "[]string", title: Parts}
      count: {type: integer, title: Count}
`

export { regexSpec }

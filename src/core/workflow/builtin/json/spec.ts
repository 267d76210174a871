/** `plugin.spec.yaml` of the plugin. */
const jsonSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: json
title: JSON
description: Reads, writes and merges JSON
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, json]
actions:
  parse:
    title: Parse
    description: Reads JSON from a text
    input:
      text: {type: string, required: true, title: Text}
    output:
      value: {type: object, title: Value, description: Whatever the text holds}
  stringify:
    title: Stringify
    description: Writes an object as JSON
    input:
      object: {type: object, required: true, title: Object}
      indent: {type: integer, required: false, title: Indent, description: Blanks per level; all on one line when 0}
    output:
      text: {type: string, title: Text}
  stringify_array:
    title: Stringify an array
    description: Writes an array as JSON
    input:
      array: {type: array, required: true, title: Array}
      indent: {type: integer, required: false, title: Indent, description: Blanks per level; all on one line when 0}
    output:
      text: {type: string, title: Text}
  get:
    title: Get
    description: Gives what a path leads to
    input:
      object: {type: object, required: true, title: Object}
      path: {type: string, required: true, title: Path, description: "Names and positions joined by dots; a name with dots stands in brackets", example: "hosts.0.name"}
    output:
      found: {type: boolean, title: Found}
      value: {type: object, title: Value, description: What was found; left out otherwise}
  merge:
    title: Merge
    description: Puts objects together; of members of one name the last counts
    input:
      objects: {type: "[]object", required: true, title: Objects}
      deep: {type: boolean, required: false, title: Deep, description: Whether objects inside of objects are merged as well}
    output:
      object: {type: object, title: Object}
  keys:
    title: Keys
    description: Gives the names and values of an object's members
    input:
      object: {type: object, required: true, title: Object}
    output:
      keys: {type: "[]string", title: Keys}
      values: {type: array, title: Values}
      count: {type: integer, title: Count}
`

export { jsonSpec }

/** `plugin.spec.yaml` of the plugin. */
const arraySpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: array
title: Array
description: Filters, sorts and reshapes arrays
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, array]
actions:
  map:
    title: Map
    description: Gives one member of every element
    input:
      array: {type: array, required: true, title: Array}
      path: {type: string, required: true, title: Path, example: host.name}
      skip_missing: {type: boolean, required: false, title: Skip missing, description: Leave elements out that have no such member; otherwise they give null}
    output:
      items: {type: array, title: Items}
      count: {type: integer, title: Count}
  pick:
    title: Pick
    description: Gives every object with some of its members only
    input:
      array: {type: "[]object", required: true, title: Array}
      members: {type: "[]string", required: true, title: Members}
    output:
      items: {type: "[]object", title: Items}
      count: {type: integer, title: Count}
  filter:
    title: Filter
    description: Gives the elements that meet a condition, and those that do not
    input:
      array: {type: array, required: true, title: Array}
      path: {type: string, required: false, title: Path, description: What of an element is compared; the element itself when empty}
      operator: {type: string, required: true, title: Operator, enum: [equals, not_equals, contains, starts_with, ends_with, greater, less, exists, empty]}
      value: {type: string, required: false, title: Value, description: Numbers are compared as numbers where both are some}
      ignore_case: {type: boolean, required: false, title: Ignore case}
    output:
      items: {type: array, title: Items}
      others: {type: array, title: Others}
      count: {type: integer, title: Count}
  sort:
    title: Sort
    description: Sorts by the elements or by a member of them; numbers come before texts, what is missing comes last
    input:
      array: {type: array, required: true, title: Array}
      path: {type: string, required: false, title: Path}
      descending: {type: boolean, required: false, title: Descending}
    output:
      items: {type: array, title: Items}
  unique:
    title: Unique
    description: Gives the first of all elements that are equal, or equal in one member
    input:
      array: {type: array, required: true, title: Array}
      path: {type: string, required: false, title: Path}
    output:
      items: {type: array, title: Items}
      count: {type: integer, title: Count}
  flatten:
    title: Flatten
    description: Puts the elements of inner arrays into the outer one
    input:
      array: {type: array, required: true, title: Array}
      depth: {type: integer, required: false, title: Depth, default: 1, description: Levels of arrays, 1 to 10}
    output:
      items: {type: array, title: Items}
      count: {type: integer, title: Count}
  chunk:
    title: Chunk
    description: Cuts an array into arrays of one size
    input:
      array: {type: array, required: true, title: Array}
      size: {type: integer, required: true, title: Size}
    output:
      chunks: {type: "[]array", title: Chunks}
      count: {type: integer, title: Count}
  count:
    title: Count
    description: Counts the elements
    input:
      array: {type: array, required: true, title: Array}
    output:
      count: {type: integer, title: Count}
  item:
    title: Item
    description: Gives one element
    input:
      array: {type: array, required: true, title: Array}
      index: {type: integer, required: false, title: Index, description: "0 is the first, -1 the last"}
    output:
      found: {type: boolean, title: Found}
      item: {type: object, title: Item, description: The element whatever its type; left out when there is none}
  group:
    title: Group
    description: Puts the elements that have the same in one member together
    input:
      array: {type: array, required: true, title: Array}
      path: {type: string, required: true, title: Path, description: What they are grouped by; those without it come under the empty text}
    output:
      groups: {type: "[]group", title: Groups, description: In the order of their first elements}
      count: {type: integer, title: Count}
  sum:
    title: Sum
    description: Adds up the numbers of an array, or of a member of its elements
    input:
      array: {type: array, required: true, title: Array}
      path: {type: string, required: false, title: Path, description: The number of an element; the element itself when empty. Elements without one are left out}
    output:
      sum: {type: number, title: Sum}
      count: {type: integer, title: Count, description: How many numbers there were}
      average: {type: number, title: Average, description: "This, the smallest and the largest are left out when there were none"}
      smallest: {type: number, title: Smallest}
      largest: {type: number, title: Largest}
types:
  group:
    key: {type: string, required: true, title: Key, description: What its elements have in common}
    items: {type: array, required: true, title: Items}
    count: {type: integer, required: true, title: Count}
`

export { arraySpec }

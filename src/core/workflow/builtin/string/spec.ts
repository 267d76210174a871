/** `plugin.spec.yaml` of the plugin. */
const stringSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: string
title: String
description: Splits, joins and changes text
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, text]
actions:
  split:
    title: Split
    description: Splits a text at every separator
    input:
      text: {type: string, required: true, title: Text}
      separator: {type: string, required: false, title: Separator, description: Splits into characters when empty, default: ","}
      limit: {type: integer, required: false, title: Limit, description: The most parts; the last one keeps the rest. 0 is no limit}
    output:
      items: {type: "[]string", title: Parts}
      count: {type: integer, title: Count}
  join:
    title: Join
    description: Joins the elements of an array to one text
    input:
      items: {type: array, required: true, title: Items, description: Elements that are no texts are written as JSON}
      separator: {type: string, required: false, title: Separator}
    output:
      text: {type: string, title: Text}
  replace:
    title: Replace
    description: Replaces a part of a text wherever it stands; the plugin regex does so by a pattern
    input:
      text: {type: string, required: true, title: Text}
      find: {type: string, required: true, title: Find}
      replace_with: {type: string, required: false, title: Replace with}
      count: {type: integer, required: false, title: Count, description: How often at most; 0 is every time}
    output:
      text: {type: string, title: Text}
      count: {type: integer, title: Count, description: How often it was replaced}
  upper:
    title: Upper case
    description: Writes a text in capital letters
    input:
      text: {type: string, required: true, title: Text}
    output:
      text: {type: string, title: Text}
  lower:
    title: Lower case
    description: Writes a text in small letters
    input:
      text: {type: string, required: true, title: Text}
    output:
      text: {type: string, title: Text}
  trim:
    title: Trim
    description: Removes white space, or other characters, around a text
    input:
      text: {type: string, required: true, title: Text}
      characters: {type: string, required: false, title: Characters, description: Those to remove; white space when empty}
      side: {type: string, required: false, title: Side, default: both, enum: [both, start, end]}
    output:
      text: {type: string, title: Text}
  substring:
    title: Substring
    description: Cuts a part out of a text
    input:
      text: {type: string, required: true, title: Text}
      start: {type: integer, required: false, title: Start, description: "Characters before the part; below 0: counted from the end"}
      length: {type: integer, required: false, title: Length, description: Characters of the part; to the end when 0}
    output:
      text: {type: string, title: Text}
  length:
    title: Length
    description: Counts the characters, bytes and lines of a text
    input:
      text: {type: string, required: true, title: Text}
    output:
      characters: {type: integer, title: Characters}
      bytes: {type: integer, title: Bytes, description: In UTF-8}
      lines: {type: integer, title: Lines}
  format:
    title: Format
    description: Puts values into a text at the places in braces that name them
    input:
      format: {type: string, required: true, title: Format, example: "{count} alerts of {host.name}"}
      values: {type: object, required: false, title: Values, description: Named by path; what is in braces and no path stays as it is}
    output:
      text: {type: string, title: Text}
  encode_url:
    title: Encode for a URL
    description: Writes a text so that it can stand as one part of a URL
    input:
      text: {type: string, required: true, title: Text}
    output:
      text: {type: string, title: Text}
  decode_url:
    title: Decode from a URL
    description: Reads a text as it stands in a URL
    input:
      text: {type: string, required: true, title: Text}
      plus: {type: boolean, required: false, title: Plus, description: "Whether + is a blank, as in queries and forms"}
    output:
      text: {type: string, title: Text}
  escape_html:
    title: Escape for HTML
    description: Writes a text so that HTML shows it and nothing of it is markup
    input:
      text: {type: string, required: true, title: Text}
    output:
      text: {type: string, title: Text}
`

export { stringSpec }

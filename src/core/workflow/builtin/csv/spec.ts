/** `plugin.spec.yaml` of the plugin. */
const csvSpec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: csv
title: CSV
description: Reads and makes comma-separated values as RFC 4180 has them
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, csv]
actions:
  parse:
    title: Parse
    description: Reads rows that have as many fields as the first one; empty lines are none
    input:
      csv: {type: string, required: true, title: CSV}
      separator: {type: string, required: false, title: Separator, default: ",", description: One character}
      header: {type: boolean, required: false, title: Header, default: true, description: The first row names the columns, and rows become objects; otherwise they become arrays}
      short_rows: {type: string, required: false, title: Short rows, default: fail, enum: [fail, fill], description: What becomes of a row with fewer fields than the first one; filled ones get empty texts}
    output:
      rows: {type: array, title: Rows}
      columns: {type: "[]string", title: Columns}
      count: {type: integer, title: Count}
  make:
    title: Make
    description: Writes rows that are objects or arrays
    input:
      rows: {type: array, required: true, title: Rows}
      columns: {type: "[]string", required: false, title: Columns, description: Members of objects in their order; those of all rows when empty}
      separator: {type: string, required: false, title: Separator, default: ",", description: One character}
      header: {type: boolean, required: false, title: Header, default: true, description: Whether the first row has the names of the columns}
    output:
      csv: {type: string, title: CSV}
      count: {type: integer, title: Count}
`

export { csvSpec }

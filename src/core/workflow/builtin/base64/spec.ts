/** `plugin.spec.yaml` of the plugin. */
const base64Spec = `plugin_spec_version: v2
extension: plugin
products: [insightconnect]
name: base64
title: Base64
description: Writes text as Base64 and reads it back
version: 1.0.0
vendor: capstan
support: community
status: []
tags: [transform, base64]
actions:
  encode:
    title: Encode
    description: Writes a text as Base64 of its UTF-8 bytes
    input:
      text: {type: string, required: true, title: Text}
      url_safe: {type: boolean, required: false, title: URL safe, description: The alphabet for addresses, without padding}
    output:
      data: {type: bytes, title: Data}
  decode:
    title: Decode
    description: Reads Base64 in either alphabet, with or without padding and line ends
    input:
      data: {type: string, required: true, title: Data}
      invalid_text: {type: string, required: false, title: Invalid text, default: fail, enum: [fail, replace], description: What to do with bytes that are no UTF-8}
    output:
      text: {type: string, title: Text}
      size: {type: integer, title: Size, description: Bytes}
`

export { base64Spec }
